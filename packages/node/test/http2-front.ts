import { createServer, type Server } from 'node:http'
import { connect, type Http2Server, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'

/** A running server. */
export interface Up {
  readonly url: string
  /** Left out for HTTP/2. */
  closeIdle?(): void
  close(): Promise<void>
}

/** Lets a `node:http` server listen on a free port. */
export async function listening(server: Server): Promise<Up> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    closeIdle: () => server.closeIdleConnections(),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/**
 * Translates an HTTP/2 server for an HTTP/1.1 client, byte for byte; a hang-up becomes a stream
 * reset.
 */
export async function frontOf(server: Http2Server): Promise<Up> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  session.on('error', () => {})
  const front = await listening(
    createServer((req, res) => {
      const stream = session.request({
        ...(withoutHopByHop(req.headers) as Record<string, string>),
        ':method': req.method,
        ':path': req.url,
      })
      stream.on('error', () => res.destroy())
      req.pipe(stream)
      stream.on('response', (headers) => {
        const { ':status': status = 500, ...rest } = headers
        for (const [name, value] of Object.entries(rest)) {
          if (value !== undefined && !name.startsWith(':')) res.setHeader(name, value)
        }
        res.writeHead(status)
        stream.pipe(res)
      })
      // A stream that ends before responding ends the connection.
      stream.on('close', () => res.writableEnded || res.destroy())
      res.on('close', () => res.writableFinished || stream.close(8))
    }),
  )
  return {
    url: front.url,
    async close() {
      await front.close()
      session.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function withoutHopByHop(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection, host, 'transfer-encoding': _, ...rest } = headers
  return { ...rest, ':authority': host }
}
