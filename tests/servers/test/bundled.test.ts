import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { bundled } from '../src/bundled.ts'
import { startNode } from '../src/index.ts'

const program = new URL('./says-where-it-is.ts', import.meta.url)

interface Ready {
  url: string
  beside: string
  isOnePool: boolean
  errors: string[]
  order: string[]
}

test('a bundled program finds what is beside its source, and its dependencies', async () => {
  const child = await startNode<Ready>(program)
  child.kill()
  await child.exited
  expect(child.ready.url).toBe(program.href)
  expect(child.ready.beside).toContain('not today')
  expect(child.ready.isOnePool).toBe(true)
})

test('two classes of one name keep it, and a later import is evaluated later', async () => {
  const child = await startNode<Ready>(program)
  child.kill()
  await child.exited
  expect(child.ready.errors).toEqual(['OrderRejected', 'OrderRejected'])
  expect(child.ready.order).toEqual(['program', 'later'])
})

test('the stack of an error names the line of the source', async () => {
  const child = await startNode(program, { args: ['fail'] })
  const line = await child.waitForLine((text) => text.includes('.rejected ('))
  expect(line).toMatch(/\(\S*\/servers\/test\/imported-later\.ts:9:9\)$/)
})

test('a program is bundled once, and the bundle goes with the process that made it', async () => {
  const here = fileURLToPath(program)
  const paths = await Promise.all([bundled(here), bundled(here)])
  expect(new Set(paths).size).toBe(1)
  const maker = new URL('./bundles-another.ts', import.meta.url)
  const child = await startNode<{ bundle: string }>(maker)
  expect(existsSync(child.ready.bundle)).toBe(true)
  child.kill()
  await child.exited
  await expect.poll(() => existsSync(dirname(child.ready.bundle)), { timeout: 10_000 }).toBe(false)
})
