import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Exchange } from './exchange.ts'

/**
 * Holds back the end of a connection while its reply counts as sent. Node takes a connection for
 * idle as soon as its response has ended, and when an app closes, idle connections are destroyed:
 * the client would get nothing of a response that is being stored. So destroying waits until the
 * response has left.
 */
export function holdConnection(exchange: Exchange, raw: ServerResponse): void {
  // HTTP/2 has no idle connections while a stream is open, and `inject` has no socket.
  if (raw.req?.httpVersionMajor !== 1) return
  if (raw.socket) holdSocket(exchange, raw, raw.socket)
  // A pipelined request gets the connection when the response before it has left.
  else {
    raw.once('socket', (socket: Socket) => {
      if (exchange.countsAsSent) holdSocket(exchange, raw, socket)
    })
  }
}

function holdSocket(exchange: Exchange, raw: ServerResponse, socket: Socket): void {
  const { destroy } = socket
  // A mock.
  if (typeof destroy !== 'function') return
  let isAsked = false
  socket.destroy = (error) => {
    // If the client hung up, Node passes an error or has already ended the socket.
    if (error !== undefined || socket.writableEnded) return destroy.call(socket, error)
    isAsked = true
    return socket
  }
  exchange.releaseConnection = () => {
    socket.destroy = destroy
    if (isAsked) raw.once('finish', () => socket.destroySoon())
  }
}
