// Keeps the page "Now" current. Without it, the page is as old as its last load.
const panel = document.getElementById("live");
if (panel) {
  const connection = document.getElementById("connection");
  const source = new EventSource(panel.dataset.source);
  source.onmessage = (event) => {
    panel.innerHTML = event.data; // rendered and escaped by the server
    connection.textContent = "";
  };
  source.onerror = () => {
    connection.textContent = "The connection is lost. Reload the page, or start `lorchestra dashboard` again.";
  };
}
