import { afterEach, expect, test, vi } from 'vitest'
import { givenOrOwn } from '../src/index.ts'

afterEach(() => vi.unstubAllEnvs())

function starter() {
  const calls = { started: 0, stopped: 0 }
  const start = async () => {
    calls.started += 1
    const stop = async () => {
      calls.stopped += 1
    }
    return { url: 'redis://127.0.0.1:7001', stop }
  }
  return { calls, start }
}

test('a server named by the environment is used, and none is started or stopped', async () => {
  vi.stubEnv('SOME_URL', 'redis://:secret@redis.test:7000/1')
  const { calls, start } = starter()
  const server = await givenOrOwn('SOME_URL', start)
  expect(server.isGiven).toBe(true)
  expect(server.url()).toBe('redis://:secret@redis.test:7000/1')
  expect(server.address()).toEqual({ host: 'redis.test', port: 7000 })
  await server.stop()
  expect(calls).toEqual({ started: 0, stopped: 0 })
})

test('a test that kills a server gets one of our own even then', async () => {
  vi.stubEnv('SOME_URL', 'redis://redis.test:7000')
  const { calls, start } = starter()
  const server = await givenOrOwn('SOME_URL', start)
  const [one, other] = await Promise.all([server.own(), server.own()])
  expect(one).toBe(other)
  expect(one.url).toBe('redis://127.0.0.1:7001')
  await server.stop()
  expect(calls).toEqual({ started: 1, stopped: 1 })
})

test('without a given server, our own serves both purposes', async () => {
  vi.stubEnv('SOME_URL', undefined)
  const { calls, start } = starter()
  const server = await givenOrOwn('SOME_URL', start)
  expect(server.isGiven).toBe(false)
  expect(server.url()).toBe((await server.own()).url)
  await server.stop()
  expect(calls).toEqual({ started: 1, stopped: 1 })
})

test('a URL without a port is refused with the name of its variable', async () => {
  vi.stubEnv('SOME_URL', 'nats://nats.test')
  await expect(givenOrOwn('SOME_URL', starter().start)).rejects.toThrow(/SOME_URL needs a port/)
})
