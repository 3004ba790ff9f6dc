import { createClient } from "socket-ingress/client";
import type { App } from "../app.js";
import { connect, showConnection } from "../../page/connection.js";
import { showChanges } from "./changes-log.js";
import { showExport } from "./export-panel.js";
import { showInbox } from "./inbox.js";
import { showOffline } from "./offline.js";
import { showPosts } from "./posts-panel.js";
import { showVisitor } from "./visitor.js";

const socket = connect();
const client = createClient<App>(socket);

showConnection(socket);
showOffline(socket);
showVisitor(client);
showInbox(client);
showPosts(client);
showExport(client);
showChanges(client);
