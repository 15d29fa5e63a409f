package consensus

import (
	"testing"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"
)

// of reads a membership: upper case votes, lower case follows. The id is the
// upper-case letter.
func of(s string) (m Membership) {
	for _, r := range s {
		id := string(r)
		voter := r <= 'Z'
		if !voter {
			id = string(r - 'a' + 'A')
		}
		m = append(m, Member{ID: id, Address: "host-" + id, Voter: voter})
	}
	return m
}

func TestAConfigurationNeedsAReason(t *testing.T) {
	for _, c := range []struct {
		before, next string
		directory    []string
		ok           bool
	}{
		{"ABC", "ABCd", []string{"ABC", "ABCD"}, true},
		{"ABCd", "ABCD", []string{"ABCD"}, true},
		{"ABC", "ABCD", []string{"ABCD"}, true},
		{"ABCD", "ABC", []string{"ABCD", "ABC"}, true},
		{"ABCD", "ABCd", []string{"ABCd"}, true},
		{"ABC", "ABCd", []string{"ABC"}, false},
		{"ABCd", "ABCD", []string{"ABCd"}, false},
		{"ABCD", "ABC", []string{"ABCD"}, false},
		{"ABCD", "ABCd", []string{"ABCD"}, false},
		{"ABC", "ABCdE", []string{"ABCDE"}, false},
		{"ABCD", "A", []string{"A"}, false},
		{"ABC", "ABC", []string{"ABC"}, false},
		{"ABC", "ABCC", []string{"ABCD"}, false},
		{"ABC", "ABCd", nil, false},
	} {
		var history []Membership
		for _, d := range c.directory {
			history = append(history, of(d))
		}
		if got := explained(of(c.before).Configuration(), of(c.next).Configuration(), history); got != c.ok {
			t.Errorf("%s to %s under %v: %v", c.before, c.next, c.directory, got)
		}
	}
	elsewhere := of("ABCD").Configuration()
	elsewhere.Servers[3].Address = "elsewhere"
	if explained(of("ABC").Configuration(), elsewhere, []Membership{of("ABCD")}) {
		t.Error("a server at another address passes")
	}
}

// However the directory went, the leader's steps end at it, every one of them
// is explained to the others, and at most one server changes at a time.
func TestStepsReachTheDirectory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.Custom(func(t *rapid.T) Membership {
			s := "A"
			for _, r := range "BCDEF" {
				switch rapid.IntRange(0, 2).Draw(t, "takes part") {
				case 1:
					s += string(r)
				case 2:
					s += string(r - 'A' + 'a')
				}
			}
			return of(s)
		})
		now := draw.Draw(t, "now").Configuration()
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			want := draw.Draw(t, "want")
			for i := 0; ; i++ {
				due := steps(now, want, "A")
				if len(due) == 0 {
					break
				}
				if i > 20 {
					t.Fatalf("from %v to %v goes on for ever", now, want)
				}
				next := done(now, due[0])
				if !explained(now, next, []Membership{want}) {
					t.Fatalf("%s is not explained by %v", due[0], want)
				}
				now = next
			}
			if err := CheckConfiguration(want.Configuration(), now); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// done is the configuration after a step, as Raft makes it.
func done(now raft.Configuration, s step) raft.Configuration {
	var next raft.Configuration
	found := false
	for _, server := range now.Servers {
		if server.ID == s.server.ID {
			found = true
			switch s.kind {
			case raft.RemoveServer:
				continue
			case raft.DemoteVoter:
				server.Suffrage = raft.Nonvoter
			default:
				server = s.server
			}
		}
		next.Servers = append(next.Servers, server)
	}
	if !found {
		next.Servers = append(next.Servers, s.server)
	}
	return next
}

func TestNoStepWithoutAMajority(t *testing.T) {
	for _, c := range []struct {
		now     string
		kind    raft.ConfigurationChangeCommand
		server  string
		healthy string
		safe    bool
	}{
		{"ABCd", raft.AddVoter, "D", "ABCD", true},
		{"ABCd", raft.AddVoter, "D", "ABC", false}, // D itself is not there
		{"ABCDe", raft.AddVoter, "E", "ABE", true},
		{"ABCDe", raft.AddVoter, "E", "AE", false},
		{"ABCD", raft.RemoveServer, "D", "AB", true},
		{"ABCD", raft.RemoveServer, "D", "AD", false},
		{"ABCDe", raft.RemoveServer, "E", "A", true},
		{"ABC", raft.AddNonvoter, "D", "A", true},
	} {
		healthy := map[raft.ServerID]bool{}
		for _, r := range c.healthy {
			healthy[raft.ServerID(r)] = true
		}
		var server raft.Server
		for _, s := range append(of(c.now), Member{ID: c.server, Address: "host-" + c.server}) {
			if s.ID == c.server && server.ID == "" {
				server = s.server()
			}
		}
		why := step{c.kind, server}.safe(of(c.now).Configuration(), healthy)
		if (why == "") != c.safe {
			t.Errorf("%s: %s with %s there: %q", c.now, step{c.kind, server}, c.healthy, why)
		}
	}
}
