import { expect, test } from 'vitest'
import { type KafkaMessage, kafkaSend } from '../../src/publishers/kafka-clients.ts'

const messageOf = (key: string, value: string): KafkaMessage => ({
  topic: 'orders',
  key: Buffer.from(key),
  value: Buffer.from(value),
  headers: new Map(),
})

/** A producer with the shape of that of `kafkajs`, which answers as it is told. */
function kafkaJs(answer: (value: string) => Promise<unknown>) {
  const begun: string[] = []
  const send = kafkaSend({
    sendBatch: () => undefined,
    send({ messages }: { messages: { value: Buffer }[] }) {
      const value = messages.map((message) => String(message.value)).join()
      begun.push(value)
      return answer(value)
    },
  })
  if (send === undefined) throw new Error('It is not taken for a producer.')
  return { begun, send }
}

const written = async () => [{ topicName: 'orders', partition: 0, errorCode: 0 }]
const valuesOf = (failures: ReadonlyMap<KafkaMessage, unknown>) =>
  new Map([...failures].map(([{ value }, error]) => [String(value), (error as Error).message]))
const never = () => new AbortController().signal

test('a client that loses parts of a request gets one message in each, and those of a key in order', async () => {
  let release = (): void => {}
  const isReleased = new Promise<void>((resolve) => {
    release = resolve
  })
  const { begun, send } = kafkaJs(async () => {
    await isReleased
    return written()
  })
  const sent = send(
    'orders',
    [messageOf('a', 'a0'), messageOf('b', 'b0'), messageOf('a', 'a1')],
    never(),
  )
  expect(begun).toEqual(['a0', 'b0'])
  release()
  expect(await sent).toEqual(new Map())
  expect(begun).toEqual(['a0', 'b0', 'a1'])
})

test('a message is not sent before an earlier one of its key that may be sent again', async () => {
  const { begun, send } = kafkaJs(async (value) => {
    if (value === 'a1') throw Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' })
    if (value === 'b0') throw new Error('no leader')
    return written()
  })
  const messages = ['a0', 'a1', 'a2', 'b0', 'b1'].map((value) => messageOf(value.charAt(0), value))
  expect(valuesOf(await send('orders', messages, never()))).toEqual(
    new Map([
      ['a1', 'too large'],
      ['b0', 'no leader'],
      ['b1', 'Not sent: an earlier message of its key was not written.'],
    ]),
  )
  expect(begun).not.toContain('b1')
})

test('an answer of no partition is a failure, and nothing is sent once nobody waits', async () => {
  const abandoned = new AbortController()
  const { begun, send } = kafkaJs(async () => {
    abandoned.abort()
    return []
  })
  const failures = await send(
    'orders',
    [messageOf('a', 'a0'), messageOf('a', 'a1')],
    abandoned.signal,
  )
  expect(valuesOf(failures).get('a0')).toMatch(/no partition has answered/)
  expect(valuesOf(failures).has('a1')).toBe(true)
  expect(begun).toEqual(['a0'])
})
