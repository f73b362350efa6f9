use super::*;

#[test]
fn who_repeats_too_often_is_sent_away() {
    let mut play = Play::begun(ORDINARY);
    play.wait(11);
    for handle in 100..116 {
        play.ask(carry(11, ""), handle);
    }
    assert_eq!(play.responses().len(), 16);
    assert!(!play.cut);
    play.ask(carry(11, ""), 200);
    play.assert_responses(&[
        (200, "terminate policy-violation"),
        (115, "terminate policy-violation"),
    ]);
    assert!(play.cut);
}

/// XEP-0124 §11: as long as the stream is busy, nothing is answered.
#[test]
fn who_asks_for_too_much_at_a_time_is_sent_away() {
    for (attributes, refused) in [
        ("", true),
        ("type='terminate'", false),
        ("pause='9'", false),
    ] {
        let mut play = Play::begun(ORDINARY);
        play.ask(carry(11, ""), 11);
        play.ask(carry(12, ""), 12);
        let more = read(&format!("rid='13' sid='s' {attributes}"), "").unwrap();
        play.ask(more, 13);
        assert_eq!(play.cut, refused, "{attributes}");
        if refused {
            let policy = "terminate policy-violation";
            play.assert_responses(&[(13, policy), (11, policy), (12, policy)]);
        }
    }
}

#[test]
fn who_polls_too_often_is_sent_away() {
    let mut play = Play::begun("wait='0' hold='0'");
    play.wait(11);
    play.pass(5);
    play.say("<a/>");
    play.wait(12);
    play.wait(13);
    play.pass(4);
    play.ask(carry(14, "<b xmlns='x'/>"), 14);
    play.idle();
    play.wait(15);
    play.assert_responses(&[(11, ""), (12, "a"), (13, ""), (14, ""), (15, "")]);
    play.pass(4);
    play.wait(16);
    play.assert_responses(&[(16, "terminate policy-violation")]);
    assert!(play.cut);
}
