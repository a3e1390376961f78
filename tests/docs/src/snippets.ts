import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { workspace } from './site.ts'
import { around, everywhere } from './snippet-context.ts'

export interface Snippet {
  readonly page: string
  /** The line of the page on which it begins. */
  readonly line: number
  readonly text: string
}

/** Every page that users read. */
export function pagesWithSnippets(): string[] {
  const inside = (folder: string) => readdirSync(join(workspace, folder))
  return [
    'README.md',
    ...inside('docs').flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
    ...inside('packages').map((name) => `packages/${name}/README.md`),
  ]
}

export function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(join(workspace, page), 'utf8')
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length + 1,
    text: match[1] ?? '',
  }))
}

/** Why a snippet is compiled elsewhere or not at all. */
export function skipped(snippet: Snippet): string | undefined {
  return aroundOf(snippet)?.skip
}

/** The folder of the workspace from which a snippet imports. */
export function homeOf(snippet: Snippet): string {
  return aroundOf(snippet)?.home ?? HOME
}

const HOME = 'tests/docs'

/**
 * The snippet as a module: on its first line the names that it uses and does not declare, then its
 * own text. `given` writes the statement for a name that is no import.
 */
export function moduleOf(
  snippet: Snippet,
  given = (name: string, type: string): string => `declare const ${name}: ${type}`,
): string {
  const context = aroundOf(snippet)
  const [before, after] = context?.wrap ?? ['', '']
  const names = { ...everywhere, ...context?.names }
  const used = before + snippet.text
  const prelude = Object.entries(names)
    .filter(([name]) => uses(used, name) && !declares(snippet.text, name))
    .map(([name, is]) => {
      if (typeof is === 'string') return given(name, is)
      return is.from === name
        ? `import ${name} from '${name}'`
        : `import { ${name} } from '${is.from}'`
    })
  return `${prelude.join('; ')}; export {}\n${before}${snippet.text}${after}\n`
}

const aroundOf = ({ page, text }: Snippet) =>
  around.find((one) => one.page === page && text.includes(one.having ?? ''))

const uses = (text: string, name: string) =>
  new RegExp(`(?<!\\w|['/@-]|[^.]\\.)${name}\\b(?!:)`).test(text)

const declares = (text: string, name: string) =>
  new RegExp(
    `^(?:export )?(?:const|let|function|type|interface) (?:${name}\\b|\\{[^}]*\\b${name}\\b[^}]*\\})` +
      `|^import (?:type )?(?:${name}\\b|\\{[^}]*\\b${name}\\b[^}]*\\})`,
    'm',
  ).test(text)
