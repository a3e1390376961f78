import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { facade } from './facade.ts'

/**
 * Hides from a framework that the client of a request has hung up: the socket of the request is
 * never destroyed to those who look at it from here on, and does not tell them of its `close`. For
 * frameworks that would otherwise stop the handler, or not answer, which a retry could not make up
 * for. Over HTTP/2 it does nothing.
 */
export function hideHangUp(req: IncomingMessage): void {
  if (req.httpVersionMajor >= 2 || !req.socket) return
  const { socket } = req
  const listen =
    (name: Listening) =>
    (event: string, listener: () => void): Socket => {
      if (event !== 'close') socket[name](event, listener)
      return own
    }
  const own: Socket = facade(socket, {
    destroyed: false,
    on: listen('on'),
    once: listen('once'),
    addListener: listen('addListener'),
  } as Partial<Socket>)
  req.socket = own
}

type Listening = 'on' | 'once' | 'addListener'
