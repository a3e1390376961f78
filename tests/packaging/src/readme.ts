import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { workspace } from './packages.ts'

/** The only TypeScript snippet of a page that contains this text. */
export function snippetOf(page: string, text: string): string {
  const snippets = [
    ...readFileSync(join(workspace, page), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g),
  ]
  const having = snippets.flatMap(([, snippet = '']) => (snippet.includes(text) ? [snippet] : []))
  if (having.length !== 1 || having[0] === undefined) {
    throw new Error(`${page} has ${having.length} snippets with ${text}, not one`)
  }
  return having[0]
}
