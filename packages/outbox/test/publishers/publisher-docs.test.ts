import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const snippets = new URL('./publisher-snippets/', import.meta.url)
const page = readFileSync(new URL('../../../../docs/publishers.md', import.meta.url), 'utf8')

// The snippet files are compiled with the tests.
test('the snippets of docs/publishers.md are the files of publisher-snippets', () => {
  const shown = [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, text = '']) => text)
  const files = readdirSync(snippets).map((name) => readFileSync(new URL(name, snippets), 'utf8'))
  expect(shown.sort()).toEqual(files.sort())
})
