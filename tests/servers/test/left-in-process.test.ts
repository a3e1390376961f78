import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, test, vi } from 'vitest'
import { leftIn, processNow } from '../src/left-in-process.ts'

test('a process that is as it was has nothing left in it', () => {
  const before = processNow()
  const listener = () => {}
  process.on('warning', listener)
  process.off('warning', listener)
  expect(leftIn(before, processNow())).toEqual([])
})

test('a forgotten listener, subscriber, variable, stub and fake clock are named', () => {
  const before = processNow()
  const listener = () => {}
  const { exitCode } = process
  process.on('warning', listener)
  subscribe('oncekey:relay-error', listener)
  vi.stubEnv('LEFT_BEHIND', 'yes')
  vi.stubGlobal('fetch', () => {})
  vi.useFakeTimers({ toFake: ['Date'] })
  process.exitCode = 3
  const left = leftIn(before, processNow())
  process.exitCode = exitCode
  process.off('warning', listener)
  unsubscribe('oncekey:relay-error', listener)
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.unstubAllEnvs()
  expect(left).toEqual([
    'the variable LEFT_BEHIND',
    'another Date',
    'another fetch',
    'other listeners of "warning"',
    'other subscribers of "oncekey:relay-error"',
    'the exit code 3',
  ])
  expect(leftIn(before, processNow())).toEqual([])
})
