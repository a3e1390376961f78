import { connect } from 'node:net'

/**
 * The part of a `pg` client that a cancel request needs: where its backend is, and the backend's
 * key.
 */
export interface Cancellable {
  readonly host?: string
  readonly port?: number
  readonly processID?: number | null
  readonly secretKey?: unknown
}

/**
 * Asks the server to stop what it does for a client, as Ctrl-C in psql does. The request uses a
 * connection of its own, which needs no login and does not count towards `max_connections`. The
 * request may fail unnoticed; whether it worked shows in the client's own reply.
 */
export function sendCancelRequest({ host, port, processID, secretKey }: Cancellable): void {
  if (host === undefined || port === undefined) return
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return
  const message = Buffer.alloc(16)
  message.writeInt32BE(16, 0)
  message.writeInt32BE(CANCEL_REQUEST, 4)
  message.writeInt32BE(processID, 8)
  message.writeInt32BE(secretKey, 12)
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host)
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy())
  socket.on('error', () => {})
  socket.unref()
  socket.end(message)
}

/** The code of a cancel request in PostgreSQL's protocol. */
const CANCEL_REQUEST = 80_877_102
const TIMEOUT_MS = 5_000
