//! Callers in hundreds of groups, and headers as long as tokens get.

use fleetgate_tests::{
    Credential,
    connection::{Caller, Connection},
    http::Reply,
    member::Member,
    proxy_path,
    registration::Registration,
    server::{Server, ServerSpec},
};
use http::{Method, header};
use http_body_util::Full;
use serde_json::{Value, json};

const GROUPS: usize = 500;

async fn server(name: &str) -> (Server, Registration) {
    let (server, member) = (ServerSpec::default().start().await, Member::new(1).await);
    let cluster = Registration {
        token: member.token.clone(),
        ..Registration::new(name, member.url())
    };
    server.join(&cluster).await;
    (server, cluster)
}

#[tokio::test]
async fn a_caller_in_five_hundred_groups_reaches_the_member_with_all_of_them() {
    let (server, cluster) = server("headers-groups").await;
    let front = server.caller(&Credential::front_proxy());
    for caller in [front.clone(), front.http2()] {
        let reply = whoami_in_groups(&caller, &cluster.name).await;
        let reply = reply.expect(201).json();
        let user = &reply["status"]["userInfo"];
        assert_eq!(user["username"], "of-many-groups");
        let groups: Vec<&str> = strings(&user["groups"]);
        for n in 0..GROUPS {
            let group = format!("group-{n}-of-a-directory");
            assert!(
                groups.contains(&group.as_str()),
                "{group} of {}",
                groups.len()
            );
        }
    }
    cluster.remove().await;
}

/// What the member finds who a front proxy's caller is, who is in many groups.
async fn whoami_in_groups(caller: &Caller, cluster: &str) -> Reply {
    let mut connection = caller.connect().await.unwrap();
    let path = proxy_path(cluster) + "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let mut request = connection
        .request(Method::POST, &path)
        .header(header::CONTENT_TYPE, "application/json")
        .header("X-Remote-User", "of-many-groups")
        .header("X-Remote-Group", "system:masters");
    for n in 0..GROUPS {
        request = request.header("X-Remote-Group", format!("group-{n}-of-a-directory"));
    }
    let request = request.body(Full::from(review.to_string())).unwrap();
    connection.exchange(request).await.unwrap()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

#[tokio::test]
async fn a_header_of_64_kib_passes_and_one_of_two_mib_is_refused_without_harm_to_others() {
    let (server, cluster) = server("headers-long").await;
    let admin = server.admin();
    for caller in [admin.clone(), admin.clone().http2()] {
        let mut connection = caller.connect().await.unwrap();
        let reply = with_header(&mut connection, &cluster.name, 64 << 10).await;
        let reply = reply.unwrap();
        assert_eq!(reply.status, 200, "{reply}");

        // Refused by an answer or by the end of the connection, as HTTP/2 has it.
        if let Ok(reply) = with_header(&mut connection, &cluster.name, 2 << 20).await {
            assert_eq!(reply.status, 431, "{reply}");
        }
        let reply = admin.get(&(proxy_path(&cluster.name) + "/version")).await;
        assert_eq!(reply.unwrap().status, 200, "others go on");
    }
    cluster.remove().await;
}

async fn with_header(
    connection: &mut Connection,
    cluster: &str,
    length: usize,
) -> anyhow::Result<Reply> {
    let path = proxy_path(cluster) + "/version";
    let request = connection.request(Method::GET, &path);
    let request = request.header("X-Long", "x".repeat(length));
    connection.exchange(request.body(Full::default())?).await
}
