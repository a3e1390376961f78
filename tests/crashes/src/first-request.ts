import { once } from 'node:events'
import { connect } from 'node:net'

/**
 * A client that reads the first bytes of its answer, and the rest only after the server was killed.
 */
export interface FirstRequest {
  /** Resolves when the first bytes have arrived. */
  readonly begun: Promise<unknown>
  /** Returns everything that the server has sent. Call it after the server's end. */
  rest(): Promise<Buffer>
}

export async function sendFirst(url: string, key: string, body: string): Promise<FirstRequest> {
  const { hostname, port, pathname, host } = new URL(url)
  const socket = connect(Number(port), hostname)
  const chunks: Buffer[] = []
  // A killed server resets a request that it has not read completely.
  socket.on('error', () => {})
  socket.once('data', () => socket.pause())
  socket.on('data', (chunk) => chunks.push(chunk))
  const begun = once(socket, 'data')
  begun.catch(() => {})
  await once(socket, 'connect')
  socket.write(
    [
      `POST ${pathname} HTTP/1.1`,
      `Host: ${host}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      `Idempotency-Key: ${key}`,
      '',
      body,
    ].join('\r\n'),
  )
  return {
    begun,
    async rest() {
      if (!socket.closed) {
        socket.resume()
        await once(socket, 'close')
      }
      return Buffer.concat(chunks)
    },
  }
}
