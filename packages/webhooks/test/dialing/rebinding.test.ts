import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import packet from 'dns-packet'
import { expect, onTestFinished, test } from 'vitest'
import { send } from '../../src/delivery/send.ts'
import { addressGuard } from '../../src/dialing/address-guard.ts'
import { guardedAgent } from '../../src/dialing/guarded-agent.ts'
import { nameServers } from '../../src/dialing/resolve-name.ts'

/** A name server that answers each question for an address with the next answer, and a TTL of 0. */
async function rebindingServer(answers: readonly string[]) {
  const socket = createSocket('udp4')
  onTestFinished(() => void socket.close())
  const given: string[] = []
  socket.on('message', (message, { port, address }) => {
    const asked = packet.decode(message)
    const [question] = asked.questions ?? []
    if (question === undefined) return
    const data = answers[Math.min(given.length, answers.length - 1)] as string
    if (question.type === 'A') given.push(data)
    const found = question.type === 'A' ? [{ type: 'A', name: question.name, ttl: 0, data }] : []
    const reply = packet.encode({ ...asked, type: 'response', answers: found as packet.Answer[] })
    socket.send(reply, port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { given, servers: [`127.0.0.1:${socket.address().port}`] }
}

async function inside() {
  const reached: string[] = []
  const server = createServer((request, response) => {
    reached.push(String(request.headers.host))
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { reached, port: (server.address() as AddressInfo).port }
}

test('a name that resolves to a public address first and an internal one next is looked up once per connection', async () => {
  const { reached, port } = await inside()
  // 192.0.2.1 belongs to nobody: it stands for the attacker's own public server, and does not
  // answer.
  const { given, servers } = await rebindingServer(['192.0.2.1', '127.0.0.1'])
  const dispatcher = guardedAgent(addressGuard(['192.0.2.1']), {
    connectTimeoutMs: 60_000,
    resolve: nameServers(servers),
  })
  onTestFinished(() => dispatcher.destroy())
  const attempt = async (timeoutMs: number) => {
    const url = `http://rebinding.example:${port}/latest/meta-data`
    const body = Buffer.from('{}')
    return (await send(url, {}, body, { dispatcher, timeoutMs, maxBodyBytes: 10 })).failure?.error
  }

  // The connection fails. So the checked address was dialled, not the one that the name has at this
  // point.
  expect(await attempt(300)).not.toBe('address-forbidden')
  expect(given).toEqual(['192.0.2.1'])
  // The next attempt looks the name up again, gets the internal address, and dials nothing.
  expect(await attempt(5_000)).toBe('address-forbidden')
  expect(given).toEqual(['192.0.2.1', '127.0.0.1'])
  expect(reached).toEqual([])
})

test('a broken twin that checks a name and dials the result of another lookup reaches an internal address', async () => {
  const { reached, port } = await inside()
  const { servers } = await rebindingServer(['192.0.2.1', '127.0.0.1'])
  const resolve = nameServers(servers)
  const guard = addressGuard(['192.0.2.1'])
  const checked = await resolve('rebinding.example')
  checked.forEach(guard)
  const dispatcher = guardedAgent(() => {}, { connectTimeoutMs: 60_000, resolve })
  onTestFinished(() => dispatcher.destroy())
  const { status } = await send(`http://rebinding.example:${port}/`, {}, Buffer.from('{}'), {
    dispatcher,
    timeoutMs: 5_000,
    maxBodyBytes: 10,
  })
  expect({ status, reached: reached.length }).toEqual({ status: 200, reached: 1 })
})
