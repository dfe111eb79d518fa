use proptest::prelude::*;

use super::*;

fn named(key: u8, own: Option<&str>, given: &str) -> Named<u8> {
    Named {
        key,
        own: own.map(str::to_owned),
        given: given.to_owned(),
        formerly: Vec::new(),
        tag: format!("a{key}"),
    }
}

impl Named<u8> {
    fn renamed(mut self, new: &str) -> Self {
        rename(&mut self.given, &mut self.formerly, new);
        self
    }
}

fn shown(all: &[Named<u8>]) -> Vec<String> {
    labels(all).into_values().collect()
}

//= NAME-002
#[test]
fn an_own_name_is_shown_as_it_is_and_found_first() {
    let all = [named(1, Some("office"), "work"), named(2, None, "Office"), named(3, None, "home")];
    assert_eq!(shown(&all), ["office", "Office~a2", "home"]);
    assert_eq!(resolve(&all, "office"), Found::One(1));
    assert_eq!(resolve(&all, " office "), Found::One(1));
    // In other letters it could mean either.
    assert_eq!(resolve(&all, "OFFICE"), Found::Many(vec![1, 2]));
    assert_eq!(resolve(&all[..1], "OFFICE"), Found::One(1));
}

//= NAME-004
#[test]
fn names_that_look_alike_all_bear_a_tag() {
    let all = [
        named(1, None, "family"),
        named(2, None, "f\u{430}mily"), // Cyrillic а
        named(3, None, "FAMILY"),
        named(4, None, "\u{ff46}amily"), // fullwidth f
        named(5, None, "friends"),
        named(6, None, ""),
        named(7, None, "straße"),
        named(8, None, "STRASSE"),
    ];
    assert_eq!(
        shown(&all),
        [
            "family~a1",
            "f\u{430}mily~a2",
            "FAMILY~a3",
            "\u{ff46}amily~a4",
            "friends",
            "unnamed",
            "straße~a7",
            "STRASSE~a8"
        ]
    );
    assert_eq!(resolve(&all, "family"), Found::Many(vec![1, 2, 3, 4]));
    assert_eq!(resolve(&all, "family~a1"), Found::One(1));
    assert_eq!(resolve(&all, "Friends"), Found::One(5));
    assert_eq!(resolve(&all, "unnamed"), Found::One(6));
    assert_eq!(resolve(&all, "nobody"), Found::None);
    assert_eq!(resolve(&all, "  "), Found::None);
}

//= NAME-005
//= NAME-006
#[test]
fn a_name_that_ends_in_the_tag_of_another_fools_nobody() {
    let all = [
        named(1, None, "family"),
        named(2, None, "family~a1"),
        named(3, Some("family~a9"), "x"),
        named(9, None, "family"),
    ];
    assert_eq!(shown(&all), ["family~a1", "family~a1~a2", "family~a9", "family~a9~a9"]);
    for (label, key) in labels(&all).iter().map(|(key, label)| (label.clone(), *key)) {
        assert_eq!(resolve(&all, &label), Found::One(key), "{label}");
    }
    // The tag is not enough: the name before it must be right, too.
    assert_eq!(resolve(&all, "friends~a1"), Found::None);
}

//= NAME-006
//= NAME-007
#[test]
fn a_tag_alone_means_its_holder_unless_something_else_is_called_so() {
    let all = [named(1, None, "family"), named(2, Some("office"), "work")];
    for (typed, key) in [("a1", 1), ("A1", 1), ("~a1", 1), ("a2", 2), ("~A2", 2)] {
        assert_eq!(resolve(&all, typed), Found::One(key), "{typed}");
    }
    // A conversation with that title is shown with a tag, and the text alone is refused.
    let all = [named(1, None, "family"), named(2, None, "work").renamed("A1")];
    assert_eq!(shown(&all), ["family", "A1~a2"]);
    assert_eq!(resolve(&all, "a1"), Found::Many(vec![1, 2]));
    assert_eq!(resolve(&all, "family~a1"), Found::One(1));
    assert_eq!(resolve(&all, "A1~a2"), Found::One(2));
}

//= NAME-007
//= NAME-008
#[test]
fn a_name_that_was_given_up_is_free_for_nobody_else() {
    let family = named(1, None, "family").renamed("kin");
    assert_eq!(resolve(std::slice::from_ref(&family), "family"), Found::Formerly(vec![1]));
    assert_eq!(resolve(std::slice::from_ref(&family), "kin"), Found::One(1));
    let work = named(2, None, "work").renamed("family");
    let all = [family, work];
    assert_eq!(shown(&all), ["kin", "family~a2"]);
    assert_eq!(resolve(&all, "family"), Found::Many(vec![1, 2]));
    assert_eq!(resolve(&all, "work"), Found::Formerly(vec![2]));
    assert_eq!(resolve(&all, "family~a1"), Found::One(1));
    assert_eq!(resolve(&all, "family~a2"), Found::One(2));
}

//= NAME-008
#[test]
fn what_the_user_named_is_not_found_by_its_title() {
    let all = [named(1, Some("office"), "work")];
    assert_eq!(resolve(&all, "work"), Found::Formerly(vec![1]));
    let all = [named(1, Some("office"), "work"), named(2, None, "work")];
    assert_eq!(resolve(&all, "work"), Found::Many(vec![1, 2]));
}

//= NAME-009
#[test]
fn nobody_frees_a_name_by_renaming_often() {
    let mut family = named(1, None, "family");
    for n in 0..20 {
        family = family.renamed(&format!("title {n}"));
    }
    assert_eq!(family.formerly.len(), MAX_FORMER);
    let all = [family, named(2, None, "work").renamed("family")];
    assert_eq!(resolve(&all, "family"), Found::Many(vec![1, 2]));
    // The title is shown and reached, with the tag.
    assert_eq!(shown(&all), ["title 19~a1", "family~a2"]);
    assert_eq!(resolve(&all, "title 19"), Found::Formerly(vec![1]));
    assert_eq!(resolve(&all, "title 19~a1"), Found::One(1));
    let all = [Named { own: Some("mum".into()), ..all[0].clone() }];
    assert_eq!(resolve(&all, "mum"), Found::One(1));
}

#[test]
fn a_change_of_case_is_no_rename() {
    let family = named(1, None, "family").renamed("Family").renamed("FAMILY");
    assert!(family.formerly.is_empty());
    assert_eq!(resolve(&[family], "family"), Found::One(1));
}

#[test]
fn equal_tags_reach_nobody() {
    let mut all = [named(1, None, "family"), named(2, None, "family")];
    all[1].tag = all[0].tag.clone();
    assert_eq!(shown(&all), ["family~a1", "family~a1~a1"]);
    assert_eq!(resolve(&all, "family~a1"), Found::Many(vec![1, 2]));
}

/// Few names that look alike, so that they collide often, with what an attacker would try.
fn name() -> impl Strategy<Value = String> {
    let base = prop_oneof![
        Just("family"),
        Just("f\u{430}mily"),
        Just("Family"),
        Just("work"),
        Just("w ork"),
        Just("kin"),
        Just("unnamed"),
        Just(""),
        Just("~"),
        Just("l"),
        Just("I"),
        Just("a1"),
        Just("A2"),
    ];
    let tail = prop_oneof![
        4 => Just(""),
        1 => Just("~a0"),
        1 => Just("~a1"),
        1 => Just("\u{ff5e}A1"),
        1 => Just("~a2~a2"),
    ];
    prop_oneof![9 => (base, tail).prop_map(|(b, t)| format!("{b}{t}")), 1 => ".{0,6}"]
}

/// Conversations as they may stand after some time: own names differ by looks, as commands see to.
fn conversations() -> impl Strategy<Value = Vec<Named<u8>>> {
    let one = (prop::option::weighted(0.3, name()), name(), prop::collection::vec(name(), 0..10));
    prop::collection::vec(one, 1..5).prop_map(|all| {
        let mut taken = BTreeSet::from([String::new()]);
        let mut make = |(n, (own, given, then)): (usize, (Option<String>, String, Vec<String>))| {
            let own = own.map(|o| o.trim().to_owned()).filter(|o| taken.insert(skeleton(o)));
            let first = named(u8::try_from(n).unwrap(), own.as_deref(), &given);
            then.iter().fold(first, |named, new| named.renamed(new))
        };
        all.into_iter().enumerate().map(&mut make).collect()
    })
}

proptest! {
    //= NAME-003
    #[test]
    fn labels_are_unlike_each_other_and_typed_they_mean_what_they_show(all in conversations()) {
        let labels = labels(&all);
        let looks: BTreeSet<String> = labels.values().map(|l| skeleton(l)).collect();
        prop_assert_eq!(looks.len(), all.len());
        for (key, label) in &labels {
            prop_assert_eq!(resolve(&all, label), Found::One(*key), "{}", label);
        }
    }

    //= NAME-010
    #[test]
    fn no_rename_by_others_turns_a_text_to_another_conversation(
        mut all in conversations(),
        renames in prop::collection::vec((0_usize..5, name()), 0..24),
        typed in prop::collection::vec(name(), 1..6),
    ) {
        let mut meant = BTreeMap::new();
        for (who, new) in renames {
            let shown = labels(&all).into_values();
            for text in typed.iter().cloned().chain(shown).collect::<Vec<_>>() {
                if let Found::One(key) = resolve(&all, &text) {
                    let first = *meant.entry(text.clone()).or_insert(key);
                    prop_assert_eq!(first, key, "{}", text);
                }
            }
            let who = who % all.len();
            all[who] = all[who].clone().renamed(&new);
            for (text, key) in &meant {
                let now = resolve(&all, text);
                prop_assert!(!matches!(now, Found::One(other) if other != *key), "{}", text);
            }
        }
    }
}
