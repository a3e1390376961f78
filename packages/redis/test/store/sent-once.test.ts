import { describe, expect, test } from 'vitest'
import { sentOnce } from '../../src/store/sent-once.ts'

interface Work {
  readonly name: string
}

/** Work whose commands settle as the test says. */
function scripted(timeoutMs = 5) {
  const sent: { name: string; answer(): void; giveUp(): void }[] = []
  const connection = { isKept: true, isGone: true }
  const command = (atLast: Promise<unknown>) => ({
    inTime: Promise.reject(new Error('no answer in time')),
    atLast,
    isKept: () => connection.isKept,
    isGone: async () => connection.isGone,
  })
  const once = sentOnce<Work>(
    ({ name }) =>
      command(
        new Promise((answer, reject) => {
          sent.push({ name, answer: () => answer('done'), giveUp: () => reject(new Error('gone')) })
        }),
      ),
    timeoutMs,
  )
  const work = { name: 'one' }
  const attempt = async (works: readonly Work[] = [work]) => [
    ...(await once.attempt(new Map(works.map((each) => [each.name, each])))).done,
  ]
  const wasSent = (atLast: Promise<unknown>) => once.wasSent(work, command(atLast))
  return { wasSent, sent, connection, work, attempt, names: () => sent.map(({ name }) => name) }
}

describe('work that is sent until it is answered', () => {
  test('is not sent again while the client has its command', async () => {
    const { attempt, sent, names } = scripted()
    expect(await attempt()).toEqual([])
    expect(await attempt()).toEqual([])
    sent[0]?.answer()
    expect(await attempt()).toEqual(['one'])
    expect(names()).toEqual(['one'])
  })

  test('is sent again once the client has given it up', async () => {
    const { attempt, sent, names } = scripted()
    expect(await attempt()).toEqual([])
    sent[0]?.giveUp()
    expect(await attempt()).toEqual([])
    expect(names()).toEqual(['one', 'one'])
    sent[1]?.answer()
    expect(await attempt()).toEqual(['one'])
  })

  // A bug: ioredis with `commandTimeout` rejects a command and keeps it, and got a copy each time.
  test('is not sent again while the client may have what it has rejected', async () => {
    const { attempt, connection, sent, names } = scripted()
    connection.isGone = false
    expect(await attempt()).toEqual([])
    sent[0]?.giveUp()
    expect(await attempt()).toEqual([])
    expect(names()).toEqual(['one'])
    connection.isGone = true
    expect(await attempt()).toEqual([])
    expect(names()).toEqual(['one', 'one'])
  })

  test('is sent again if a connection was lost, which may have dropped it without a word', async () => {
    const { attempt, connection, sent, names } = scripted()
    expect(await attempt()).toEqual([])
    connection.isKept = false
    const trying = attempt()
    await new Promise((resolve) => setImmediate(resolve))
    connection.isKept = true
    sent[1]?.answer()
    expect(await trying).toEqual(['one'])
    expect(names()).toEqual(['one', 'one'])
  })

  test('waits for a command that was sent before', async () => {
    const { attempt, wasSent, names } = scripted(10_000)
    wasSent(Promise.resolve('done'))
    expect(await attempt()).toEqual(['one'])
    expect(names()).toEqual([])
  })

  test('is sent at once if what was sent before has failed', async () => {
    const { attempt, wasSent, sent } = scripted(10_000)
    wasSent(Promise.reject(new Error('gone')))
    const trying = attempt()
    await new Promise((resolve) => setImmediate(resolve))
    sent[0]?.answer()
    expect(await trying).toEqual(['one'])
  })

  test('does not wait for other work that hangs', async () => {
    const { attempt, sent, work } = scripted()
    const trying = attempt([work, { name: 'two' }])
    await new Promise((resolve) => setImmediate(resolve))
    sent[1]?.answer()
    expect(await trying).toEqual(['two'])
  })
})
