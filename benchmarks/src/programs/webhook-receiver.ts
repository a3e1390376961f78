import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answer } from '../verbs.ts'

const server = createServer((request, response) => {
  request.resume()
  // The one dead endpoint: it takes a request and never answers.
  if (request.url === '/dead') return
  request.on('end', () => response.writeHead(204).end())
})

const verbs = {
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  },
}

export type WebhookReceiver = typeof verbs

answer(verbs)
