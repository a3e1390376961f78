import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { workspace } from './site.ts'

/** A fenced block of a page, in any language. */
export interface Block {
  readonly page: string
  /** The line of the page on which its text begins. */
  readonly line: number
  readonly language: string
  readonly text: string
}

/** Every block of every page that users read. */
export function everyBlock(): Block[] {
  return userPages().flatMap(blocksOf)
}

export function blocksOf(page: string): Block[] {
  const whole = readFileSync(join(workspace, page), 'utf8')
  return [...whole.matchAll(/^( *)```(\w*)\n(.*?)^\1```$/gms)].map(
    ([, indent = '', language = '', text = ''], index, all) => ({
      page,
      line: whole.slice(0, all[index]?.index).split('\n').length,
      language,
      text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  )
}

function userPages(): string[] {
  const inside = (folder: string) => readdirSync(join(workspace, folder))
  const markdown = (folder: string) =>
    inside(folder).flatMap((name) => (name.endsWith('.md') ? [`${folder}/${name}`] : []))
  return [
    'README.md',
    'SECURITY.md',
    ...['docs', 'docs/errors', 'docs/alerts', 'docs/reference'].flatMap(markdown),
    ...inside('packages').map((name) => `packages/${name}/README.md`),
  ]
}
