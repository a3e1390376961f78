import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { onTestFinished } from 'vitest'

/**
 * The port of a server on 127.0.0.1 that takes connections only after `ms`: until then its queue is
 * full, and the kernel drops the packets that ask for one. A client asks again after a second.
 */
export async function slowToConnect(ms: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', SERVER], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  onTestFinished(() => void child.kill())
  const [port] = await once(child, 'message')
  child.send(ms)
  await once(child, 'message')
  const waiting = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  onTestFinished(() => {
    for (const socket of waiting) socket.destroy()
  })
  // A queue of one has two places.
  await Promise.all(waiting.slice(0, 2).map((socket) => once(socket, 'connect')))
  return port
}

const SERVER = `
  import { createServer } from 'node:http'
  const server = createServer((_, response) => response.end('taken'))
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
    process.send(server.address().port)
  })
  process.once('message', (ms) => {
    process.send('accepts nothing', () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
    })
  })
`
