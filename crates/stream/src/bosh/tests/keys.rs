use super::*;

/// XEP-0124 §15.
#[test]
fn keys_are_followed() {
    // What `seed` leads to, and `other`.
    let [k1, k2, k3] = [
        "92713d4709377111cf31f2a71986c411bd6cb5b0",
        "c62acc6f8c0c715ca7c1c81bec6fea819c9c3c62",
        "e51fd1b46928409a0fdbd44bdae28d2d7741813b",
    ];
    let [o1, o2] = [
        "d0941e68da8f38151ff86a61fc59f7c5cf9fcaa2",
        "4d829478b5db370c05b913314bc241a8625db9b0",
    ];
    let create = format!("{ORDINARY} newkey='{}'", k3.to_uppercase());
    let ask = |play: &mut Play, rid: u64, keys: &str| {
        let request = read(&format!("rid='{rid}' sid='s' {keys}"), "<a xmlns='x'/>");
        play.ask(request.unwrap(), rid);
        play.idle();
    };
    let mut play = Play::begun(&create);
    ask(&mut play, 11, &format!("key='{k2}'"));
    ask(&mut play, 12, &format!("key='{k1}' newkey='{o2}'"));
    ask(&mut play, 13, &format!("key='{o1}'"));
    assert_eq!(play.fed.len(), 3);
    assert!(!play.cut);
    // Requests that overtake each other are looked at in their order.
    let mut play = Play::begun(&create);
    ask(&mut play, 12, &format!("key='{k1}'"));
    ask(&mut play, 11, &format!("key='{k2}'"));
    assert_eq!(play.fed.len(), 2);
    for wrong in [
        "",
        "key=''",
        "key='none'",
        &format!("key='{k3}'"),
        &format!("key='{k1}'"),
    ] {
        let mut play = Play::begun(&create);
        ask(&mut play, 11, wrong);
        play.assert_responses(&[(11, "terminate item-not-found")]);
        assert!(play.cut && play.fed.is_empty(), "{wrong}");
    }
    // Who has begun without keys may go on with them.
    let mut play = Play::begun(ORDINARY);
    ask(&mut play, 11, &format!("key='any' newkey='{k2}'"));
    ask(&mut play, 12, &format!("key='{k1}'"));
    ask(&mut play, 13, "");
    assert!(play.cut);
    assert_eq!(play.fed.len(), 2);
}
