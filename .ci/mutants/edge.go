package main

// edgeChecks are those between the node and whoever calls it.
var edgeChecks = []mutant{
	{
		check: "role of a token",
		file:  "exchange/httpapi/guard.go",
		old:   `if len(t.roles) > 0 {`,
		new:   `if false {`,
		pkg:   "./exchange/httpapi", run: "^TestRolesAndRoutes$",
	},
	{
		check: "expiry of a token",
		file:  "exchange/access/store.go",
		old:   `if found == nil || !found.InForce(now) {`,
		new:   `if found == nil {`,
		pkg:   "./exchange/access", run: "^TestATokenOpensUntil",
	},
	{
		check: "request of another site",
		file:  "exchange/httpapi/server.go",
		old:   `return secure(cross.Handler(http.HandlerFunc(a.dispatch)))`,
		new:   `return secure(http.HandlerFunc(a.dispatch))`,
		pkg:   "./exchange/httpapi", run: "^TestOtherSitesCannotWrite$",
	},
	{
		check: "formula in a file that goes back",
		file:  "schemas/tabular/formula.go",
		old:   `s != "" && strings.ContainsRune(formulaStarts, r) {`,
		new:   `s != "" && r == '=' {`,
		pkg:   "./schemas/tabular", run: "^TestRejectsRoundTrip$",
	},
	{
		check: "size of a request",
		file:  "exchange/httpapi/guard.go",
		old:   `r.Body = http.MaxBytesReader(w, r.Body, t.body)`,
		new:   `_ = http.MaxBytesReader`,
		pkg:   "./exchange/httpapi", run: "^TestBodiesAreBounded$",
	},
	{
		check: "large files at once",
		file:  "exchange/spool.go",
		old:   `if l.total == mostLarge || l.of[token] == mostLargeOne {`,
		new:   `if l.total == mostLarge {`,
		pkg:   "./exchange", run: "^TestLargeFilesAreReadAFewAtATime$",
	},
	{
		check: "encryption of what is spooled",
		file:  "exchange/spool.go",
		old:   `cipher.StreamWriter{S: there, W: out.file}`,
		new:   `out.file, cipher.StreamWriter{S: there, W: io.Discard}`,
		pkg:   "./exchange", run: "^TestASpooledFileIsReadByItsWriterOnly$",
	},
	{
		check: "connections at once",
		file:  "cmd/creditgw/connections.go",
		old:   `return netutil.LimitListener(l, int(most))`,
		new:   `return netutil.LimitListener(l, int(most)+1)`,
		pkg:   "./cmd/creditgw", run: "^TestCallersLeaveTheNodeItsDescriptors$",
	},
	{
		check: "log lines of strangers",
		file:  "exchange/httpapi/guard.go",
		old:   `if p.ID == "" {`,
		new:   `if p.ID == "-" {`,
		pkg:   "./exchange/httpapi", run: "^TestStrangersDoNotFillTheLog$",
	},
	{
		check: "length of a token of a workbook",
		file:  "schemas/tabular/xlsxwalk.go",
		old:   `budget.left = limits.Record`,
		new:   `budget.left = int(limits.Unzipped)`,
		pkg:   "./schemas/tabular", run: "^TestRefused$",
	},
	{
		check: "blank cells beyond the columns",
		file:  "schemas/tabular/xlsxrows.go",
		old:   `return h.column >= h.columns }`,
		new:   `return false }`,
		pkg:   "./schemas/tabular", run: "^TestBlanksBeyondTheColumns",
	},
	{
		check: "time that an origin claims",
		file:  "exchange/moment.go",
		old:   `min(max(seconds, 0), lastMoment)`,
		new:   `max(seconds, 0)`,
		pkg:   "./exchange/casebook", run: "^TestATimeThatNobodyCanMean",
	},
}
