import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { internalsOf, responseOn, serverOf } from '@oncekey/node'
import { exchangeOn } from './raw-response.ts'

/**
 * Keeps the connection of a response that counts as sent although it is still being stored. Node
 * takes a connection for idle as soon as its response has ended, and destroys the idle ones when
 * the app closes: the client would get nothing of what is stored. So responses look unfinished
 * while the server does that, and each of their connections is closed once it is idle. Only those:
 * closing all idle ones a second time would cut off responses that have ended meanwhile and are
 * still on their way, which Node takes for idle, too.
 *
 * A server and each connection are prepared once, so that a request costs nothing more.
 */
export function holdConnection({ req }: ServerResponse): void {
  // HTTP/2 has no idle connections while a stream is open.
  if (req?.httpVersionMajor !== 1) return
  const socket: KnownSocket = req.socket
  if (!socket[KNOWN]) know(socket)
}

function know(socket: KnownSocket): void {
  // An app that listens on `localhost` has a server for each of its addresses.
  const server: HeldServer | undefined = serverOf(socket)
  // `inject` has none.
  if (typeof server?.closeIdleConnections !== 'function') return
  server[CONNECTIONS] ??= watched(server)
  const connections = server[CONNECTIONS]
  socket[KNOWN] = true
  connections.add(socket)
  socket.once('close', () => connections.delete(socket))
}

function watched(server: Server): Set<Socket> {
  const connections = new Set<Socket>()
  const closing = new WeakSet<ServerResponse>()
  const { closeIdleConnections } = server

  function closeOnceIdle(socket: Socket): void {
    const raw = responseOn(socket)
    if (raw === undefined) socket.destroySoon()
    if (!countsAsSent(raw) || closing.has(raw)) return
    closing.add(raw)
    // Node has put the next pipelined response on the connection by then.
    raw.once('finish', () => closeOnceIdle(socket))
  }

  server.closeIdleConnections = () => {
    const held: ServerResponse[] = []
    for (const socket of connections) {
      const raw = responseOn(socket)
      if (!countsAsSent(raw)) continue
      held.push(raw)
      internalsOf(raw).unmark(raw)
      closeOnceIdle(socket)
    }
    try {
      closeIdleConnections.call(server)
    } finally {
      for (const raw of held) {
        internalsOf(raw).markHeadSent(raw)
        internalsOf(raw).markEnded(raw)
      }
    }
  }
  return connections
}

function countsAsSent(raw: ServerResponse | undefined): raw is ServerResponse {
  return raw !== undefined && exchangeOn(raw)?.countsAsSent === true
}

const KNOWN: unique symbol = Symbol('oncekey.known')
const CONNECTIONS: unique symbol = Symbol('oncekey.connections')

interface KnownSocket extends Socket {
  [KNOWN]?: true
}

interface HeldServer extends Server {
  [CONNECTIONS]?: Set<Socket>
}
