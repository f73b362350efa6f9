//! Accounts and rosters, for the scenarios that come after: what is there beforehand is not measured with them.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::{Need, Scenario};
use crate::run::{Client, Run};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "prepare",
    about: "clients write contacts into their rosters and leave; with --register accounts are made",
    rate: Need::No,
    clients_min: 1,
    play: |run| Box::pin(play(run)),
};

/// Longest time until a contact is in a roster.
const ANSWER_SECS_MAX: u64 = 60;

/// One after the other in each of some places: nobody has to wait for all to be there.
async fn play(run: Rc<Run>) {
    run.enter("writing rosters");
    run.begin_measuring().await;
    let numbers = 0..u32::try_from(run.plan.clients).unwrap_or(u32::MAX);
    let visits = numbers.map(|number| visit(&run, number));
    let visits = futures_util::stream::iter(visits).buffer_unordered(run.plan.at_once);
    visits.for_each(|()| async {}).await;
    run.end_measuring();
}

async fn visit(run: &Run, number: u32) {
    let Some(client) = run.login(number).await else {
        return;
    };
    if let Some(client) = fill(run, client).await {
        client.close().await;
    }
}

/// Writes the contacts of one client: those after it, in a ring, who are not asked to be seen.
async fn fill(run: &Run, mut client: Client) -> Option<Client> {
    let clients = u32::try_from(run.plan.clients).unwrap_or(u32::MAX);
    let contacts = u32::try_from(run.plan.roster).unwrap_or(u32::MAX);
    for step in 1..=contacts.min(clients.saturating_sub(1)) {
        let contact = &run.accounts[((client.number + step) % clients) as usize].jid;
        let written = format!(
            "<iq type='set' id='item-{step}'><query xmlns='jabber:iq:roster'><item jid='{contact}' \
             name='Contact {step}'/></query></iq>"
        );
        if let Err(error) = write(&mut client, written.into(), &format!("item-{step}")).await {
            run.figures(|figures| figures.error(format!("roster: {error}")));
            return None;
        }
        run.figures(crate::figures::Figures::delivered);
    }
    Some(client)
}

async fn write(client: &mut Client, stanza: Bytes, id: &str) -> Result<(), String> {
    let answer = timeout(Duration::from_secs(ANSWER_SECS_MAX), async {
        let sent = client.stream.send(stanza).await;
        sent.map_err(|error| error.to_string())?;
        loop {
            let stanza = client.stream.next().await.map_err(|end| end.to_string())?;
            if stanza.name() == "iq" && stanza.id().as_deref() == Some(id) {
                return match stanza.kind().as_deref() {
                    Some("result") => Ok(()),
                    _ => Err("the server refuses a contact".to_owned()),
                };
            }
        }
    });
    let late = |_| Err("the server does not answer".to_owned());
    answer.await.unwrap_or_else(late)
}
