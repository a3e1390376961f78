import type { Capture } from './capture.ts'
import { abandon } from './settle.ts'

/**
 * Express answers an error that comes after the first byte by destroying the connection. By then
 * the bytes of a bare response have left; those held back here have not, so the connection waits for
 * them: a handler that fails after it answered harms nobody's response. Where it fails between
 * `write()` and `end()`, nobody will finish the response, and this is the only sign of it.
 */
export function holdConnection(capture: Capture): void {
  const { socket } = capture.res
  if (socket === null) return
  const { destroy } = socket
  let asked = false

  socket.destroy = (error) => {
    const { phase, ended } = capture
    // Node gives an error, or has ended the socket, when it was the client who hung up.
    const hungUp = error !== undefined || (socket.writableEnded && !socket.destroyed)
    if (hungUp || phase === 'open' || phase === 'over') return destroy.call(socket, error)
    asked = true
    if (!ended) abandon(capture)
    return socket
  }

  capture.releaseConnection = () => {
    socket.destroy = destroy
    if (asked) socket.destroySoon()
  }
}
