import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { type RedisServer, startNode, startRedis, startReplicas, waitFor } from '../src/index.ts'
import { isRunning } from './running.ts'

const started: RedisServer[] = []

async function start(...options: Parameters<typeof startRedis>): Promise<RedisServer> {
  const server = await startRedis(...options)
  started.push(server)
  return server
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()))
})

describe('a Redis of our own', () => {
  test('has the given settings, and leaves nothing behind', async () => {
    const server = await start({ settings: { maxmemory: '50mb' } })
    expect(await server.cli('config', 'get', 'maxmemory')).toBe(`maxmemory\n${50 * 1024 * 1024}`)
    const pid = server.pid()
    await server.stop()
    expect(isRunning(pid)).toBe(false)
    expect(existsSync(server.folder)).toBe(false)
  })

  test('comes back on its port after a crash with what it wrote to disk', async () => {
    const server = await start({ settings: { appendonly: 'yes', appendfsync: 'always' } })
    await server.cli('set', 'kept', 'yes')
    const pid = server.pid()
    await server.crash()
    expect(isRunning(pid)).toBe(false)
    await server.restart()
    expect(await server.cli('get', 'kept')).toBe('yes')
  })

  test('answers when it is continued after a pause', async () => {
    const server = await start()
    server.pause()
    let answered = false
    const pong = server.cli('ping').finally(() => {
      answered = true
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(answered).toBe(false)
    server.resume()
    expect(await pong).toBe('PONG')
  })

  test('has replicas that follow it', async () => {
    const primary = await start()
    const [replica] = await startReplicas(primary, 1, (settings) => start({ settings }))
    await primary.cli('set', 'key', 'value')
    await waitFor(async () => (await replica?.cli('get', 'key')) === 'value', {
      what: 'the replica to have it',
    })
  })

  test('reports why it cannot start', async () => {
    await expect(start({ settings: { maxmemory: 'plenty' } })).rejects.toThrow(/maxmemory/)
  })
})

test('without redis-server on PATH the error says what to install', async () => {
  const script = fileURLToPath(new URL('./looks-for-redis.ts', import.meta.url))
  const child = await startNode<{ message: string }>(script, { env: { PATH: '/nowhere' } })
  expect(child.ready.message).toContain('sudo apt-get install redis-server')
  await child.exited
})
