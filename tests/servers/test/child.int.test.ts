import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { startNode, waitFor } from '../src/index.ts'
import { isRunning } from './running.ts'

const waitsForEver = new URL('./waits-for-ever.ts', import.meta.url)

interface Ready {
  port: number
  args: string[]
  mark: string
}

test('a TypeScript file runs with its arguments and variables until it is killed', async () => {
  const child = await startNode<Ready>(waitsForEver, { args: ['a b'], env: { MARK: 'here' } })
  expect(child.ready).toMatchObject({ args: ['a b'], mark: 'here' })
  expect(isRunning(child.pid)).toBe(true)
  const socket = connect(child.ready.port, '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.on('error', () => {}).destroy()

  child.kill()
  expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' })
  expect(isRunning(child.pid)).toBe(false)
})

test('finds lines of both outputs, even those printed earlier', async () => {
  const child = await startNode(waitsForEver)
  expect(await child.waitForLine((line) => line.includes('waiting'))).toBe('now waiting')
  expect(await child.waitForLine((line) => line.includes('false'))).toBe('{"ready":false}')
  expect(child.output()).toContain('"ready":true')
  child.kill('SIGTERM')
  expect(await child.exited).toEqual({ code: null, signal: 'SIGTERM' })
  await expect(child.waitForLine((line) => line === 'never')).rejects.toThrow('now waiting')
})

test('a file that ends before it is ready causes an error with its output', async () => {
  const early = startNode(new URL('./ends-early.ts', import.meta.url))
  await expect(early).rejects.toThrow('not today')
})

test('a file that is not ready in time is killed', async () => {
  const late = startNode(waitsForEver, { readyTimeoutMs: 1 })
  await expect(late).rejects.toThrow('did not print the line awaited')
})

test('a stopped process can be continued', async () => {
  const child = await startNode(waitsForEver)
  child.kill('SIGSTOP')
  child.kill('SIGCONT')
  child.kill('SIGTERM')
  await child.exited
  await waitFor(() => !isRunning(child.pid), { what: 'the child to be gone' })
})
