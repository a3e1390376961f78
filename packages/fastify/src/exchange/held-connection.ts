import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { internalsOf, responseOn, serverOf } from '@oncekey/node'
import { exchangeOn } from './raw-response.ts'

/**
 * Keeps the connection of a response that counts as sent although it is still being stored. Node
 * takes a connection for idle as soon as its response has ended, and destroys the idle ones when
 * the app closes: the client would get nothing of what is stored. So responses look unfinished
 * while the server does that, and once they have left it does so again, for their connections.
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
  const { closeIdleConnections } = server
  const again = () => server.closeIdleConnections()
  server.closeIdleConnections = () => {
    const held = [...connections].map(responseOn).filter(countsAsSent)
    for (const raw of held) {
      internalsOf(raw).unmark(raw)
      raw.off('finish', again).once('finish', again)
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
