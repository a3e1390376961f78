import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * A proxy that frames messages anew, as gateways do: it sends a request on in chunks, without
 * `Content-Length`, and buffers an answer to send it with its length. If the server does not
 * answer, the proxy answers 502.
 */
export async function startReframingProxy(
  target: number,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => {
    const { 'content-length': _, connection: __, ...headers } = incoming.headers
    const on = { host: '127.0.0.1', port: target, method: incoming.method, path: incoming.url }
    const asked = request({ ...on, headers, agent: false }, (answer) => {
      passOn(answer, outgoing).catch(() => outgoing.destroy())
    })
    asked.on('error', () => {
      if (!outgoing.headersSent) outgoing.writeHead(502).end('Bad gateway')
    })
    outgoing.on('close', () => asked.destroy())
    incoming.on('error', () => asked.destroy())
    incoming.pipe(asked)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function passOn(answer: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk)
  const { 'transfer-encoding': _, connection: __, 'keep-alive': ___, ...headers } = answer.headers
  outgoing.writeHead(answer.statusCode ?? 502, headers)
  outgoing.end(Buffer.concat(chunks))
}
