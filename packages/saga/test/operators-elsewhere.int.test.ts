import { randomUUID } from 'node:crypto'
import { saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { payment, runnerOf, stepOf } from './paying-sagas.ts'

describe('an operator in a process that has a different saga registered under the same name and version', () => {
  function drifted(name: string) {
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const ran: string[] = []
    const undoable = (step: string) => ({
      run: () => void ran.push(step),
      compensate: () => void ran.push(`undo ${step}`),
    })
    const began = saga<null, PoolClient>(name, { version: 1 })
      .step('reserve', {
        async run() {
          ran.push('reserve')
          if (name === 'before-its-pivot') await held
        },
        compensate: () => void ran.push('undo reserve'),
      })
      .step('pay', { kind: 'pivot', run: () => void ran.push('pay') })
      .step('send', {
        kind: 'retriable',
        async run() {
          ran.push('send')
          await held
        },
      })
    const changed = saga<null, PoolClient>(name, { version: 1 })
      .step('reserve', undoable('reserve'))
      .step('check', undoable('check'))
      .step('score', undoable('score'))
      .step('pay', { kind: 'pivot', run: () => {} })
    return { began, changed, ran, letGo: () => letGo() }
  }

  test('cannot undo a run past its pivot, because the plan stored with the run decides where that is', async () => {
    const { began, changed, ran, letGo } = drifted('past-its-pivot')
    const owner = runnerOf([began])
    const id = randomUUID()
    const running = owner.execute(began, { id, input: null })
    await waitFor(() => ran.includes('send'), { what: 'the pivot to be done' })
    await expect(runnerOf([changed]).compensate(id)).rejects.toMatchObject({
      code: 'saga-past-pivot',
    })
    letGo()
    await running
    expect(ran).toEqual(['reserve', 'pay', 'send'])
  })

  test('undoes a run before its pivot, even without any version of the saga registered', async () => {
    const { began, ran, letGo } = drifted('before-its-pivot')
    const other = saga<null, PoolClient>('another', { version: 1 }).step('one', { run() {} })
    const owner = runnerOf([began])
    const id = randomUUID()
    const undone = expect(owner.execute(began, { id, input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
    })
    await waitFor(() => ran.length, { what: 'it to begin' })
    expect(await runnerOf([other]).compensate(id)).toBe('compensating')
    letGo()
    await undone
    expect(ran).toEqual(['reserve', 'undo reserve'])
  })
})

test('resuming a run that a process drives leaves it to that process', async () => {
  const { flow, story, letGo } = payment()
  const owner = runnerOf([flow])
  const other = runnerOf([flow])
  const id = randomUUID()
  const running = owner.execute(flow, { id, input: null })
  await waitFor(() => story.includes('charging'), { what: 'the charge to begin' })
  expect(await other.resume(id)).toBe('under-way')
  expect(await other.runOnce()).toBe(0)
  letGo()
  await running
  expect(story).toEqual(['charging', 'charged', 'shipped'])
  expect(await stepOf(owner, id, 'charge')).toMatchObject({ attempts: 1 })
})
