import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('runs without Node: no import of it, no Buffer, no process', () => {
  const folder = new URL('../src/', import.meta.url)
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const sources = files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(new URL(file, folder), 'utf8'))
  expect(sources.length).toBeGreaterThan(3)
  for (const source of sources) expect(source).not.toMatch(/from 'node:|\bBuffer\b|process\./)
})
