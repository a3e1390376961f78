import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import next from 'next'

// Does what `next start` does, on a free port.
const app = next({ dev: false, dir: process.cwd(), hostname: '127.0.0.1' })
await app.prepare()
const handle = app.getRequestHandler()
const server = createServer((request, response) => void handle(request, response))
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(JSON.stringify({ ready: true, port }))
})
