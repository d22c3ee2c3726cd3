//! The rule on hand-made stacks, and what must hold for every stack.

use profiler_splice::{splice, Class, Facts, Link, Piece};
use proptest::prelude::*;

const WHOLE: Facts = Facts { root_reached: true, chain_ended: true, nested: false, at_entry: false };
const BROKEN: Facts = Facts { root_reached: false, ..WHOLE };

fn joined(native: &str, chain: &str, facts: Facts) -> (Class, String) {
    // Native: `E` inside the evaluation function, else a letter. Chain: `|` closes a segment, a digit is a function.
    let in_eval: Vec<bool> = native.chars().map(|name| name == 'E').collect();
    let links: Vec<Link> = chain.chars().map(|name| if name == '|' { Link::Entry } else { Link::Frame }).collect();
    let (class, pieces) = splice(&in_eval, &links, facts);
    let text = pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Native(index) => native.as_bytes()[index] as char,
            Piece::Python(index) => chain.as_bytes()[index] as char,
            Piece::Gap => '~',
        })
        .collect();
    (class, text)
}

#[test]
fn inlined_calls_share_one_activation_and_re_entries_have_their_own() {
    assert_eq!(joined("aEbcEd", "12|3|", WHOLE), (Class::Exact, "a12bc3d".into()));
    assert_eq!(joined("EE", "1|2|", WHOLE), (Class::Exact, "12".into()));
}

#[test]
fn a_thread_without_python_keeps_its_native_stack() {
    assert_eq!(joined("abc", "", WHOLE), (Class::NativeOnly, "abc".into()));
    assert_eq!(joined("abc", "|", WHOLE), (Class::NativeOnly, "abc".into()));
    assert_eq!(joined("abc", "", BROKEN), (Class::NativeOnly, "abc".into()));
}

#[test]
fn the_base_frame_of_a_thread_needs_no_activation() {
    assert_eq!(joined("aEb", "1||", WHOLE), (Class::Exact, "a1b".into()));
}

#[test]
fn an_activation_that_is_just_starting_owns_nothing() {
    assert_eq!(joined("EbE", "1|", WHOLE), (Class::Prologue, "Eb1".into()));
    assert_eq!(joined("E", "", WHOLE), (Class::Prologue, "E".into()));
    assert_eq!(joined("aEbE", "1|", WHOLE).0, Class::Unspliced);
    let at_entry = Facts { at_entry: true, ..WHOLE };
    assert_eq!(joined("aEbE", "1|", at_entry), (Class::Prologue, "aEb1".into()));
}

#[test]
fn a_broken_native_stack_gets_the_remaining_functions_at_its_root_behind_a_gap() {
    assert_eq!(joined("aE", "1|2|34|", BROKEN), (Class::Truncated, "a1~234".into()));
    assert_eq!(joined("a", "1|", BROKEN), (Class::Truncated, "a~1".into()));
    assert_eq!(joined("aE", "1|2|", WHOLE), (Class::Unspliced, "aE".into()));
}

#[test]
fn a_chain_that_was_cut_is_truncated_and_in_place() {
    let cut = Facts { chain_ended: false, ..WHOLE };
    assert_eq!(joined("aEbEcE", "1|23", cut), (Class::Truncated, "a1b23cE".into()));
    assert_eq!(joined("aE", "", cut).0, Class::Unspliced);
}

#[test]
fn a_subinterpreter_owns_the_innermost_activations_only() {
    let nested = Facts { nested: true, ..WHOLE };
    assert_eq!(joined("aEbEcE", "1|", nested), (Class::Truncated, "a1bEcE".into()));
    assert_eq!(joined("EbE", "1|", nested), (Class::Truncated, "1bE".into()));
    let starting = Facts { at_entry: true, ..nested };
    assert_eq!(joined("EbEcE", "1|", starting), (Class::Truncated, "Eb1cE".into()));
}

fn stacks() -> impl Strategy<Value = (Vec<bool>, Vec<Link>, Facts)> {
    let link = prop_oneof![3 => Just(Link::Frame), 1 => Just(Link::Entry)];
    let facts = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(root_reached, chain_ended, nested, at_entry)| Facts { root_reached, chain_ended, nested, at_entry },
    );
    (prop::collection::vec(prop::bool::weighted(0.3), 0..40), prop::collection::vec(link, 0..40), facts)
}

/// A call tree as the interpreter makes it: activations with at least one function each, native frames between.
fn possible() -> impl Strategy<Value = (Vec<bool>, Vec<Link>)> {
    prop::collection::vec((0..4_usize, 1..5_usize), 0..12).prop_map(|activations| {
        let mut native = Vec::new();
        let mut chain = Vec::new();
        for (between, functions) in activations {
            native.extend(std::iter::repeat_n(false, between));
            native.push(true);
            chain.extend(std::iter::repeat_n(Link::Frame, functions));
            chain.push(Link::Entry);
        }
        native.push(false);
        (native, chain)
    })
}

proptest! {
    #[test]
    fn order_is_kept_and_nothing_appears_twice((native, chain, facts) in stacks()) {
        let (class, pieces) = splice(&native, &chain, facts);
        let natives: Vec<usize> =
            pieces.iter().filter_map(|piece| if let Piece::Native(index) = piece { Some(*index) } else { None }).collect();
        let pythons: Vec<usize> =
            pieces.iter().filter_map(|piece| if let Piece::Python(index) = piece { Some(*index) } else { None }).collect();
        prop_assert!(natives.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(pythons.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(pythons.iter().all(|index| chain[*index] == Link::Frame));
        // No native frame outside the evaluation function is ever dropped.
        prop_assert!((0..native.len()).all(|index| native[index] || natives.contains(&index)));
        let functions = chain.iter().filter(|link| **link == Link::Frame).count();
        match class {
            Class::NativeOnly => prop_assert_eq!(functions, 0),
            Class::Unspliced => prop_assert!(pythons.is_empty()),
            Class::Exact | Class::Prologue | Class::Truncated => prop_assert_eq!(pythons.len(), functions),
        }
    }

    #[test]
    fn every_possible_stack_is_exact((native, chain) in possible()) {
        let (class, pieces) = splice(&native, &chain, WHOLE);
        let expected = if chain.is_empty() { Class::NativeOnly } else { Class::Exact };
        prop_assert_eq!(class, expected);
        prop_assert!(!pieces.contains(&Piece::Gap));
        prop_assert!(pieces.iter().all(|piece| !matches!(piece, Piece::Native(index) if native[*index])));
    }

    #[test]
    fn a_native_stack_cut_anywhere_keeps_the_frames_it_has_in_place((native, chain) in possible(), cut in 0..60_usize) {
        let cut = cut.min(native.len());
        let (_, whole) = splice(&native, &chain, WHOLE);
        let (class, pieces) = splice(&native[..cut], &chain, BROKEN);
        prop_assert!(class != Class::Unspliced && class != Class::Prologue);
        let before_gap: Vec<Piece> = pieces.iter().copied().take_while(|piece| *piece != Piece::Gap).collect();
        prop_assert_eq!(&whole[..before_gap.len()], &before_gap[..]);
    }

    #[test]
    fn a_new_activation_changes_no_frame_below_it((native, chain) in possible()) {
        let (_, whole) = splice(&native, &chain, WHOLE);
        let mut entered = vec![true];
        entered.extend(&native);
        let (class, pieces) = splice(&entered, &chain, WHOLE);
        prop_assert_eq!(class, Class::Prologue);
        let shifted: Vec<Piece> = whole
            .iter()
            .map(|piece| if let Piece::Native(index) = piece { Piece::Native(index + 1) } else { *piece })
            .collect();
        prop_assert_eq!(&pieces[1..], &shifted[..]);
    }
}
