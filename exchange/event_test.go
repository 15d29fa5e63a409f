package exchange

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xinqiao/creditgw/schemas"
)

// The keys under which events lie in journals that exist. A line may be added;
// none may change or go, and no number may come twice in one type.
const storedKeys = `
Ack Reminder=1 State=2 At=3 Reason=4
AckedAs Record=1 State=2 Code=3
AcksReceived Acks=1
AnchorMade At=1 Size=2 Root=3
Authored Header=1 Body=2 Local=3 Home=4
BatchCut Preamble=1 Signature=2 Wraps=3 Items=4
BatchRefused Seq=1 Code=2 Item=3
EntryAuthored Entry=1 Slot=2 Key=3 Acked=4 Order=5 Report=6 Anchor=7
ErasedItem Place=1 Local=2 ID=3 Slots=4 Code=5 Subject=6
ErasureScope Node=1 Log=2 Backups=3
Event At=1 Opened=2 Rows=3 Closed=4 Register=5 Bound=6 Unbound=7 Acks=8 Authored=9 Cut=10 Refused=11 Followed=12 Ordered=13 Erasing=14 LocalErased=15 Asked=16 Reread=17
FirmBound BoundAt=2 Subject=4 Slot=5 Proof=6
FirmUnbound Subject=2
LedgerFollowed From=1 To=2 FirstSlot=3 Slots=4 Root=5 Region=6
LedgerReread From=1
LocalErased Records=1 At=2 Scope=3
LocalOrder Record=1 Order=2
Order Reason=1 At=2 Now=3
RecordsErased Items=1
Ref Index=1 ID=2
RegisterChanged Register=1 Firms=2 Authorities=3 Sources=4
Report Records=1 At=2 Scope=3
Row N=1 Outcome=2 Rule=3 KeyDigest=4 Content=5 Entry=6 Earlier=7 Quarantine=8 Slot=9 Private=10 Flags=11 Normalised=12
RowPrivate Findings=1 Comparison=2 Raw=3 Key=4 Body=5
RowsTaken Submission=1 Rows=2
SubjectAsked Slot=2 USCC=3
SubmissionClosed ID=1 Received=2 Accepted=3 Bad=4 Double=5 FileNote=6 Skipped=7 Failed=8
SubmissionOpened ID=1 Kind=2 Submitter=3 Principal=4 ReceivedAt=5 FileDigest=6 Idempotency=7 Sequence=8
`

func TestEveryFieldOfAnEventKeepsItsNumber(t *testing.T) {
	lines := make(map[string]string)
	collectKeys(t, reflect.TypeFor[Event](), lines)
	collectKeys(t, reflect.TypeFor[RowPrivate](), lines)
	var got []string
	for _, line := range lines {
		got = append(got, line)
	}
	slices.Sort(got)
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(storedKeys), "\n"), got); diff != "" {
		t.Errorf("keys (-stored +declared):\n%s", diff)
	}
}

// collectKeys notes the keys of typ and of all of our own types below it.
func collectKeys(t *testing.T, typ reflect.Type, lines map[string]string) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice:
		collectKeys(t, typ.Elem(), lines)
		return
	case reflect.Struct:
	default:
		return
	}
	if typ.PkgPath() != reflect.TypeFor[Event]().PkgPath() || lines[typ.Name()] != "" {
		return
	}
	line := typ.Name()
	lines[typ.Name()] = line // ends the recursion
	used := make(map[string]bool)
	for i := range typ.NumField() {
		f := typ.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("cbor"), ",")
		if !slices.Contains(strings.Split(options, ","), "keyasint") || used[key] {
			t.Errorf("%s.%s has no key of its own: %q", typ.Name(), f.Name, f.Tag.Get("cbor"))
		}
		used[key] = true
		line += fmt.Sprintf(" %s=%s", f.Name, key)
		collectKeys(t, f.Type, lines)
	}
	lines[typ.Name()] = line
}

// Register rows are stored under the names of their JSON form.
func TestRegisterRowsKeepTheirNames(t *testing.T) {
	for typ, want := range map[reflect.Type]string{
		reflect.TypeFor[schemas.Firm]():      "uscc name former_names home_region district licence",
		reflect.TypeFor[schemas.Authority](): "uscc name aliases parent region valid_from valid_to",
	} {
		var got []string
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			got = append(got, name)
		}
		for _, name := range strings.Fields(want) {
			if !slices.Contains(got, name) {
				t.Errorf("%s has no %s any more", typ.Name(), name)
			}
		}
	}
}

func TestTheZoneOfDatesIsEightHoursEast(t *testing.T) {
	if got := time.Date(2026, 3, 31, 16, 0, 0, 0, time.UTC).In(Shanghai).Format(time.DateOnly); got != "2026-04-01" {
		t.Error(got)
	}
}
