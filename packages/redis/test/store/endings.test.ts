import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { endings } from '../../src/store/record/endings.ts'

/** A subscriber whose commands settle as the test says. */
function scripted() {
  const sent: { answer(): void; fail(): void }[] = []
  const listeners = new Map<string, (channel: string, message: string) => void>()
  const subscriber = {
    status: 'ready',
    subscribe: () =>
      new Promise((answer, reject) => {
        sent.push({ answer: () => answer(1), fail: () => reject(new Error('gone')) })
      }),
    on: (event: string, listener: (channel: string, message: string) => void) =>
      listeners.set(event, listener),
  }
  const lose = (): void => {
    listeners.get('close')?.('', '')
    listeners.get('ready')?.('', '')
  }
  return { sent, lose, ends: endings(subscriber) }
}

async function isSoon(work: Promise<unknown>): Promise<boolean> {
  let isOver = false
  void work.then(() => {
    isOver = true
  })
  await setImmediate()
  return isOver
}

describe('a subscription', () => {
  // A bug: every claim that waited spent the time of a whole command on it.
  test('that is not answered is waited for once', async () => {
    const { ends, sent } = scripted()
    const listening = ends.listen(20)
    const overAt = performance.now() + 20
    expect(await listening).toBe(false)
    // A timer can fire a fraction of a millisecond early.
    while (performance.now() < overAt) await setImmediate()
    expect(await isSoon(ends.listen(20))).toBe(true)
    expect(sent).toHaveLength(1)
    sent[0]?.answer()
    expect(await isSoon(ends.listen(20))).toBe(true)
    expect(ends.isListening()).toBe(true)
  })

  test('that was under way when a connection was lost is sent again', async () => {
    const { ends, sent, lose } = scripted()
    expect(await ends.listen(1)).toBe(false)
    lose()
    const listening = ends.listen(10_000)
    sent[1]?.answer()
    expect(await listening).toBe(true)
  })

  test('is over when the connection is lost', async () => {
    const { ends, sent, lose } = scripted()
    const listening = ends.listen(10_000)
    sent[0]?.answer()
    expect(await listening).toBe(true)
    lose()
    expect(ends.isListening()).toBe(false)
  })

  test('that failed is sent again', async () => {
    const { ends, sent } = scripted()
    const listening = ends.listen(10_000)
    sent[0]?.fail()
    expect(await listening).toBe(false)
    void ends.listen(1)
    expect(sent).toHaveLength(2)
  })
})
