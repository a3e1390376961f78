import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { send } from '../../src/delivery/send.ts'
import { addressGuard } from '../../src/dialing/address-guard.ts'
import { guardedAgent } from '../../src/dialing/guarded-agent.ts'

// A bug: Node runs timers before it reads sockets, so what was answered in time to a process that
// was busy had timed out, and was sent again.
test('an answer that came in time counts, although the process was busy until later', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', RECEIVER], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  onTestFinished(() => void child.kill())
  const [port] = await once(child, 'message')
  const dispatcher = guardedAgent(addressGuard(['127.0.0.1']), {
    connectTimeoutMs: 60_000,
    resolve: async () => ['127.0.0.1'],
  })
  onTestFinished(() => dispatcher.destroy())
  child.once('message', () => {
    const end = performance.now() + 2_000
    while (performance.now() < end);
  })
  const { status, failure } = await send(`http://127.0.0.1:${port}/`, {}, Buffer.from('{}'), {
    dispatcher,
    timeoutMs: 1_500,
    maxBodyBytes: 1_000,
  })
  expect([status, failure]).toEqual([200, undefined])
})

/** Says when a request has arrived, and answers a moment later. */
const RECEIVER = `
  import { createServer } from 'node:http'
  const server = createServer((request, response) => {
    process.send('asked')
    setTimeout(() => response.end('taken'), 200)
  })
  server.listen(0, '127.0.0.1', () => process.send(server.address().port))
`
