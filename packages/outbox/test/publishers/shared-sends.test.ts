import { expect, test } from 'vitest'
import { type SharedSendOptions, sharedSends } from '../../src/publishers/shared-sends.ts'

const never = () => new AbortController().signal

/** What is sent is a string; its length counts as its bytes. */
function sends(options: Partial<SharedSendOptions<string>> = {}) {
  const requests: string[][] = []
  const send = sharedSends<string>({
    batchSize: 10,
    bytesOf: ({ length }) => length,
    isPermanent: (error) => error === 'permanent',
    async send(_, messages) {
      requests.push(messages)
      return new Map()
    },
    ...options,
  })
  return { requests, send: (message: string) => send('orders', message, 60_000, never()) }
}

test('a request keeps to the count and to the bytes, in order; a larger message goes alone', async () => {
  const { requests, send } = sends({ batchSize: 3, maxBytes: 5 })
  const messages = ['aa', 'bb', 'cc', 'd', 'e', 'f', 'ggggggg', 'h']
  await Promise.all(messages.map(send))
  expect(requests).toEqual([['aa', 'bb'], ['cc', 'd', 'e'], ['f'], ['ggggggg'], ['h']])
})

test('only the messages that failed are rejected, each with its own error, and nothing is sent again', async () => {
  const requests: string[][] = []
  const { send } = sends({
    async send(_, messages) {
      requests.push(messages)
      return new Map([
        ['b', 'permanent'],
        ['d', 'passing'],
      ])
    },
  })
  const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd'].map(send))
  expect(outcomes.map((outcome) => ('reason' in outcome ? outcome.reason : 'sent'))).toEqual([
    'sent',
    'permanent',
    'sent',
    'passing',
  ])
  expect(requests).toEqual([['a', 'b', 'c', 'd']])
})

test('when a request is refused for good as a whole, its messages are sent one by one', async () => {
  const requests: string[][] = []
  const { send } = sends({
    async send(_, messages) {
      requests.push(messages)
      if (messages.includes('bad')) throw 'permanent'
      return new Map()
    },
  })
  const outcomes = await Promise.allSettled(['a', 'bad', 'c'].map(send))
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(requests).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c']])
})

test('a request without an answer is aborted when its time is up, and the next one goes', async () => {
  let aborted = false
  const send = sharedSends<string>({
    batchSize: 1,
    isPermanent: () => false,
    send: (_, [message], signal) =>
      new Promise((resolve) => {
        if (message === 'second') resolve(new Map())
        signal.addEventListener('abort', () => {
          aborted = true
        })
      }),
  })
  const first = send('orders', 'first', 50, never())
  const second = send('orders', 'second', 60_000, never())
  await expect(first).rejects.toThrow('did not answer')
  await second
  expect(aborted).toBe(true)
})

// A bug: a relay that had stopped still sent what waited behind a request, while another process
// sent the same events.
test('what waits behind a request is not sent when its attempt has been ended', async () => {
  const requests: string[][] = []
  let answer = (): void => {}
  const send = sharedSends<string>({
    batchSize: 10,
    isPermanent: () => false,
    send(_, messages) {
      requests.push(messages)
      if (requests.length > 1) return Promise.resolve(new Map())
      return new Promise((resolve) => {
        answer = () => resolve(new Map())
      })
    },
  })
  const first = send('orders', 'first', 60_000, never())
  await Promise.resolve()
  const stopping = new AbortController()
  const second = send('orders', 'second', 60_000, stopping.signal)
  const third = send('orders', 'third', 60_000, never())
  stopping.abort('stopped')
  answer()
  await first
  await expect(second).rejects.toBe('stopped')
  await third
  expect(requests).toEqual([['first'], ['third']])
})

// A bug: a request of several messages went on with the next message of a key after a stop.
test('a request is told to end when nobody waits for any of its messages any longer', async () => {
  const { promise: begun, resolve: begin } = gate<AbortSignal>()
  const send = sharedSends<string>({
    batchSize: 10,
    isPermanent: () => false,
    send: (_, messages, signal) => {
      begin(signal)
      return new Promise((resolve) => {
        signal.addEventListener('abort', () =>
          resolve(new Map(messages.map((message) => [message, signal.reason]))),
        )
      })
    },
  })
  const [one, other] = [new AbortController(), new AbortController()]
  const sent = Promise.allSettled([
    send('orders', 'a', 60_000, one.signal),
    send('orders', 'b', 60_000, other.signal),
  ])
  const signal = await begun
  one.abort('stopped')
  expect(signal.aborted).toBe(false)
  other.abort('stopped')
  expect(signal.aborted).toBe(true)
  expect(await sent).toEqual(Array(2).fill({ status: 'rejected', reason: 'stopped' }))
})

function gate<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve = (_: T): void => {}
  const promise = new Promise<T>((resolved) => {
    resolve = resolved
  })
  return { promise, resolve: (value) => resolve(value) }
}
