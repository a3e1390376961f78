import { RetryError } from '@oncekey/client'
import { expect, test } from 'vitest'
import { memory, order, page } from './pending-page.ts'
import { answer, drop, problem, type Step, scriptedServer } from './scripted-server.ts'

/** Pages that share a storage and a clock, and whose keys are sent for 100 s. */
async function site(...steps: Step[]) {
  const server = await scriptedServer(...steps)
  const storage = memory()
  const clock = { seconds: 1_000_000 }
  const pending = { storage, expiresAfterMs: 100_000 }
  const call = (init: object = {}) =>
    page(storage, { now: () => clock.seconds * 1000, pending })(server.url, { ...order, ...init })
  const lost = (init?: object) =>
    call(init).then(
      () => undefined,
      (error: RetryError) => error,
    )
  return { server, storage, clock, call, lost }
}

test('a key is sent for as long as its first attempt is younger than `expiresAfterMs`', async () => {
  const { server, clock, lost } = await site(drop)
  await lost()
  clock.seconds += 99
  await lost()
  expect(server.seen.length).toBe(2)
  expect(new Set(server.keys()).size).toBe(1)
})

// A bug: the age of the first attempt decided, and a key of which an attempt had been lost seconds
// ago was replaced without a word.
test('neither an old key nor a new one is sent while its last attempt is young', async () => {
  const { server, storage, clock, lost } = await site(drop)
  await lost()
  clock.seconds += 99
  await lost()
  for (const seconds of [1, 98]) {
    clock.seconds += seconds
    const error = await lost()
    expect(error).toBeInstanceOf(RetryError)
    expect(error).toMatchObject({ code: 'key-expired', attempts: 0, key: server.keys()[0] })
  }
  expect(server.seen.length).toBe(2)
  expect(storage.items.size).toBe(1)
})

test('after that the key is told for a minute, also to a second click', async () => {
  const { server, clock, lost } = await site(drop)
  await lost()
  clock.seconds += 99
  await lost()
  clock.seconds += 100
  const told = { code: 'key-expired', key: server.keys()[0] }
  for (const end of await Promise.all([lost(), lost()])) expect(end).toMatchObject(told)
  clock.seconds += 60
  expect(await lost()).toMatchObject(told)
  clock.seconds += 1
  await lost()
  expect(server.seen.length).toBe(3)
  expect(new Set(server.keys()).size).toBe(2)
})

test('a call that gives the old key back as `forgetKey` gets a new one', async () => {
  const { server, storage, clock, call, lost } = await site(drop, answer(201))
  await lost()
  clock.seconds += 100
  const forgetKey = (await lost())?.key
  expect((await call({ forgetKey })).status).toBe(201)
  const [old, next] = server.keys()
  expect(forgetKey).toBe(old)
  expect(next).not.toBe(old)
  expect(storage.items.size).toBe(0)
})

test('`forgetKey` concerns that key alone, also one that is young', async () => {
  const { server, storage, lost } = await site(drop)
  await lost()
  const [forgetKey] = server.keys()
  await lost({ forgetKey })
  await lost({ forgetKey })
  const [old, next, again] = server.keys()
  expect(next).not.toBe(old)
  expect(again).toBe(next)
  expect(storage.items.size).toBe(1)
})

test('`forgetKey` without an operation is refused', async () => {
  const { server, call } = await site(answer(201))
  for (const method of ['POST', 'PUT']) {
    await expect(call({ method, operation: undefined, forgetKey: 'k1' })).rejects.toMatchObject({
      code: 'options-invalid',
      message: expect.stringContaining('operation'),
    })
  }
  expect(server.seen.length).toBe(0)
})

// A bug: a key of a clock that was ahead counted as young until then, for longer than servers keep
// keys.
test('a key that is noted in the future has expired too', async () => {
  const { server, clock, lost } = await site(drop)
  await lost()
  clock.seconds -= 3600
  expect(await lost()).toMatchObject({ code: 'key-expired', key: server.keys()[0] })
  expect(server.seen.length).toBe(1)
})

// A bug: what was told while the clock was ahead counted as told from then on, so a key that was
// sent since was replaced a day later without a word.
test('a key that was told while the clock was ahead is told again when it is old', async () => {
  const { server, clock, lost } = await site(drop)
  await lost()
  clock.seconds += 200
  expect(await lost()).toMatchObject({ code: 'key-expired' })
  clock.seconds -= 190
  await lost()
  clock.seconds += 300
  expect(await lost()).toMatchObject({ code: 'key-expired', key: server.keys()[0] })
  expect(server.keys()).toEqual([server.keys()[0], server.keys()[0]])
})

test('a clock that is set back by seconds changes nothing', async () => {
  const { server, clock, lost } = await site(drop)
  await lost()
  clock.seconds -= 30
  await lost()
  expect(server.seen.length).toBe(2)
  expect(new Set(server.keys()).size).toBe(1)
})

test('an entry of an earlier version, which has one time, is read', async () => {
  const { server, storage, clock, lost } = await site(drop)
  await lost()
  const [name, value] = [...storage.items][0] ?? ['', '']
  const { key, since } = JSON.parse(value)
  storage.items.set(name, JSON.stringify({ key, since }))
  await lost()
  storage.items.set(name, JSON.stringify({ key, since }))
  clock.seconds += 100
  expect(await lost()).toMatchObject({ code: 'key-expired', key })
  expect(server.keys()).toEqual([key, key])
})

test('a storage that takes no more still gives back a key that is in doubt', async () => {
  const { server, storage, lost } = await site(drop)
  await lost()
  storage.setItem = () => {
    throw new Error('QuotaExceededError')
  }
  await lost()
  expect(server.seen.length).toBe(2)
  expect(new Set(server.keys()).size).toBe(1)
})

test('a key in doubt that the server does not take stays, and `forgetKey` ends that', async () => {
  const reused = problem(422, 'key-reused', 'new-key')
  const { server, call, lost } = await site(drop, reused, reused, answer(201))
  await lost()
  await call()
  await call()
  const [forgetKey] = server.keys()
  expect((await call({ forgetKey })).status).toBe(201)
  expect(new Set(server.keys().slice(0, 3)).size).toBe(1)
  expect(server.keys()[3]).not.toBe(forgetKey)
})

// A bug: both clicks were in doubt about the other, and the entry stayed for good.
test('a double click that is refused leaves no entry', async () => {
  const { storage, call } = await site(answer(400), answer(400))
  const answers = await Promise.all([call(), call()])
  expect(answers.map(({ status }) => status)).toEqual([400, 400])
  expect(storage.items.size).toBe(0)
})
