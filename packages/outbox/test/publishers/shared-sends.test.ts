import { expect, test } from 'vitest'
import { type SharedSendOptions, sharedSends } from '../../src/publishers/shared-sends.ts'

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
  return { requests, send: (message: string) => send('orders', message, 60_000) }
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
  const first = send('orders', 'first', 50)
  const second = send('orders', 'second', 60_000)
  await expect(first).rejects.toThrow('did not answer')
  await second
  expect(aborted).toBe(true)
})
