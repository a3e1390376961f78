import { readFileSync } from 'node:fs'

/** A step of somebody who follows the tutorial. */
export type Step =
  | { readonly kind: 'file'; readonly name: string; readonly text: string }
  | { readonly kind: 'commands'; readonly commands: readonly string[] }
  | { readonly kind: 'expect'; readonly lines: readonly string[] }

/**
 * Reads the blocks of a page in their order. A block of `js` is the file that the sentence before
 * it names, a block of `sh` is commands, and any other block is the output of these commands: each
 * of its lines has to be a part of a line of the output, in the same order.
 */
export function readTutorial(path: string): Step[] {
  const page = readFileSync(path, 'utf8')
  return [...page.matchAll(/([^\n]*)\n\n```(\w+)\n(.*?)```/gs)].flatMap(
    ([, before = '', language = '', text = '']): Step[] => {
      const lines = text.trimEnd().split('\n')
      if (language === 'mermaid') return []
      if (language === 'sh') return [{ kind: 'commands', commands: lines }]
      if (language !== 'js') return [{ kind: 'expect', lines }]
      const name = /`([\w.]+\.js)`/.exec(before)?.[1]
      if (name === undefined) throw new Error(`A block of js is no file: "${before}"`)
      return [{ kind: 'file', name, text }]
    },
  )
}

/**
 * Returns the lines of `wanted` that are not found in `output` behind the line in which the
 * previous one was found.
 */
export function missingLines(output: string, wanted: readonly string[]): string[] {
  const lines = output.split(/\r?\n/)
  let at = 0
  return wanted.filter((text) => {
    const found = lines.findIndex((line, index) => index >= at && line.includes(text))
    if (found < 0) return true
    at = found + 1
    return false
  })
}
