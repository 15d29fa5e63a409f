package witness

// Must is for the tests of package witness_test, too.
func Must[T any](v T, err error) T { return must(v, err) }
