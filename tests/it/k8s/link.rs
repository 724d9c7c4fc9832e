//! The network between a process and its API server, which can be cut.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Carries connections to a server. What is sent while it is cut arrives when it is whole again, as
/// late as that may be.
pub(super) struct Link {
    pub(super) address: SocketAddr,
    cut: watch::Sender<bool>,
}

impl Link {
    /// A way to this server, until the runtime ends.
    pub(super) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, watched) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, server, watched.clone()));
            }
        });
        Self { address, cut }
    }

    pub(super) fn cut(&self) {
        self.cut.send_replace(true);
    }

    pub(super) fn mend(&self) {
        self.cut.send_replace(false);
    }
}

async fn connect(client: TcpStream, server: SocketAddr, mut cut: watch::Receiver<bool>) {
    // The link or the server is gone: nobody to tell but the client, whose connection ends.
    if cut.wait_for(|cut| !cut).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    tokio::spawn(carry(from_client, to_server, cut.clone()));
    carry(from_server, to_client, cut).await;
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut cut: watch::Receiver<bool>) {
    let mut buffer = vec![0; 1 << 14];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if cut.wait_for(|cut| !cut).await.is_err() || to.write_all(&buffer[..length]).await.is_err()
        {
            return;
        }
    }
    // The end of one side is the end of the other; it may have gone already.
    let _ = cut.wait_for(|cut| !cut).await.map(drop);
    let _ = to.shutdown().await;
}
