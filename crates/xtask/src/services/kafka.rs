use std::path::Path;

use anyhow::Result;
use nix::sys::signal::Signal;

use super::maven::{Artifact, Jars};
use super::server::{Home, Server, free_port};
use crate::interrupt::Interrupt;

const JARS: Jars = Jars {
    name: "kafka",
    artifacts: &[
        Artifact { group: "org.apache.kafka", name: "kafka_2.13", version: "4.1.0" },
        // So that a broker that does not start says why.
        Artifact { group: "org.slf4j", name: "slf4j-simple", version: "1.7.36" },
    ],
};

/// What its tests must not show.
const PASSWORD: &str = "s3cret";

/// Small and quick to start.
const JAVA: [&str; 6] = [
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-cp",
    "lib/*",
];

/// A real broker, alone: it is its own controller. It listens three times: for everybody, for who has a
/// password (SASL/PLAIN), and with TLS, whose certificate a private CA signed.
///
/// Its URL says where: `kafka://HOST:PORT?sasl=HOST:PORT&tls=HOST:PORT&ca=FILE`. With SASL the user `flamingock` may
/// do everything, and the user `guest` nothing; the password of both is [`PASSWORD`].
pub(super) fn start(_running: &[Server], interrupt: &Interrupt) -> Result<Option<Server>> {
    let home = Home::new("kafka", "nobody")?;
    JARS.put(&home.path().join("lib"), interrupt)?;
    certify(&home)?;
    let plain = format!("127.0.0.1:{}", home.port);
    let [sasl, tls, controller] =
        [free_port()?, free_port()?, free_port()?].map(|port| format!("127.0.0.1:{port}"));
    let settings = settings(home.path(), &plain, &sasl, &tls, &controller);
    home.write("server.properties", &settings)?;
    home.prepare("java", |java| {
        java.args(JAVA).args(["kafka.tools.StorageTool", "format", "--standalone"]);
        java.args(["--cluster-id", "ZmxhbWluZ29jay10ZXN0cw", "--config", "server.properties"]);
    })?;
    let ca = home.path().join("ca.pem");
    let url = format!("kafka://{plain}?sasl={sasl}&tls={tls}&ca={}", ca.display());
    let listens = format!("exec 3<>/dev/tcp/127.0.0.1/{}", home.port);
    let server = home.start(
        "java",
        |java| {
            java.args(JAVA).args(["kafka.Kafka", "server.properties"]);
        },
        Signal::SIGKILL,
        ("bash", |bash| {
            bash.args(["-c", &listens]);
        }),
        url,
        interrupt,
    )?;
    Ok(Some(server))
}

fn settings(home: &Path, plain: &str, sasl: &str, tls: &str, controller: &str) -> String {
    let home = home.display();
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.bootstrap.servers={controller}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT\n\
         listeners=PLAINTEXT://{plain},SASL_PLAINTEXT://{sasl},SSL://{tls},CONTROLLER://{controller}\n\
         log.dirs={home}/data\n\
         sasl.enabled.mechanisms=PLAIN\n\
         listener.name.sasl_plaintext.plain.sasl.jaas.config={module} user_flamingock=\"{PASSWORD}\" user_guest=\"{PASSWORD}\";\n\
         ssl.keystore.type=PKCS12\n\
         ssl.keystore.location={home}/keys\n\
         ssl.keystore.password={PASSWORD}\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS;User:flamingock\n\
         num.partitions=1\n\
         offsets.topic.num.partitions=1\n\
         offsets.topic.replication.factor=1\n\
         transaction.state.log.num.partitions=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n"
    )
}

/// A private CA in `ca.pem`, and in `keys` the broker's key, certified by it.
fn certify(home: &Home) -> Result<()> {
    let keytool = |arguments: &[&str]| {
        home.prepare("keytool", |keytool| {
            keytool.args(arguments).args([
                "-keystore",
                "keys",
                "-storetype",
                "PKCS12",
                "-storepass",
                PASSWORD,
            ]);
        })
    };
    let pair = ["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "3650"];
    let ca = ["-alias", "ca", "-dname", "CN=Flamingock test CA", "-ext", "bc:critical=ca:true"];
    keytool(&[pair.as_slice(), &ca].concat())?;
    keytool(&["-exportcert", "-rfc", "-alias", "ca", "-file", "ca.pem"])?;
    let names = ["-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1"];
    keytool(&[pair.as_slice(), &["-alias", "broker", "-signer", "ca"], &names].concat())?;
    // The broker is to show the other one.
    keytool(&["-delete", "-alias", "ca"])
}
