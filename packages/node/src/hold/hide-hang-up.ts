import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { facade } from './facade.ts'

/**
 * Hides from a framework that the client of a request has hung up, until the response is `over`:
 * the socket of the request is not destroyed to those who look at it from here on, and does not
 * tell them of its `close`. For frameworks that would otherwise stop the handler, or not answer,
 * which a retry could not make up for. What streams after that has nobody but its client, so the
 * listeners are then called, or wait for the real `close`.
 *
 * Not hidden are `writable` and `closed`, and a `close` that `prependListener` or
 * `prependOnceListener` waits for. Over HTTP/2 it does nothing.
 */
export function hideHangUp(req: IncomingMessage, over: Promise<unknown>): void {
  if (req.httpVersionMajor >= 2 || !req.socket) return
  const { socket } = req
  const waiting = new Set<Listener>()
  let isOver = false

  const listen =
    (name: 'on' | 'once' | 'addListener') =>
    (event: string, listener: Listener): Socket => {
      if (event === 'close' && !isOver) waiting.add(listener)
      else socket[name](event, listener)
      return own
    }
  const ignore = (event: string, listener: Listener): Socket => {
    if (event === 'close') waiting.delete(listener)
    socket.off(event, listener)
    return own
  }
  const own: Socket = facade(socket, {
    get destroyed() {
      return isOver && socket.destroyed
    },
    on: listen('on'),
    once: listen('once'),
    addListener: listen('addListener'),
    off: ignore,
    removeListener: ignore,
  } as Partial<Socket>)
  req.socket = own

  void over.then(() => {
    isOver = true
    for (const listener of waiting) {
      // The close that they waited for may have been told already.
      if (socket.destroyed) listener.call(own, false)
      else socket.once('close', listener)
    }
    waiting.clear()
  })
}

type Listener = (hadError: boolean) => void
