// A server as somebody without TypeScript hands it to `npx socket-ingress`.
import { Server } from "socket.io";
import { Handler, ServiceManager } from "socket-ingress";

class EchoHandler extends Handler {
  name = "echo";
  events = { echo: "handleEcho" };

  handleEcho(_context, text) {
    return text;
  }
}

export default () => new ServiceManager(new Server()).registerHandler(new EchoHandler());
