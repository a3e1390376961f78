import { existsSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { type NatsServer, startNats } from '../src/index.ts'
import { isRunning } from './running.ts'

const started: NatsServer[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()))
})

describe('a NATS server of our own', () => {
  test('comes back on its port after a crash, and leaves nothing behind', async () => {
    const server = await startNats()
    started.push(server)
    const { port } = server
    const pid = server.pid()
    await server.crash()
    expect(isRunning(pid)).toBe(false)
    await server.restart()
    expect(server.port).toBe(port)
    const second = server.pid()
    await server.stop()
    expect(isRunning(second)).toBe(false)
    expect(existsSync(server.folder)).toBe(false)
  })
})
