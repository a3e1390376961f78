import { json } from './json.ts'
import { type Page, type PageStyle, writePage } from './page.ts'

/** How a command prints: a page of text for people, or JSON with `--json`. */
export interface Out {
  readonly isJson: boolean
  /** Prints the whole result of a command, once: one JSON document, or a page. */
  result(document: unknown, page: (page: Page) => void): Promise<void>
  /**
   * Prints one of several results as soon as it is known: a line of NDJSON, or a part of a page.
   */
  item(document: unknown, page: (page: Page) => void): Promise<void>
  /** Prints text that is the same with `--json` and without, such as SQL. */
  raw(text: string | Uint8Array): Promise<void>
  /** Prints a line of progress to stderr; nothing with `--json`. */
  progress(text: string): void
}

export function output(of: {
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  readonly isJson: boolean
  readonly style: PageStyle
}): Out {
  const { stdout, stderr, isJson, style } = of
  return {
    isJson,
    result: (document, page) =>
      written(stdout, isJson ? `${json(document, 2)}\n` : writePage(style, page)),
    item: (document, page) =>
      written(stdout, isJson ? `${json(document, undefined)}\n` : writePage(style, page)),
    raw: (text) => written(stdout, text),
    progress(text) {
      if (!isJson) stderr.write(`${text}\n`)
    },
  }
}

/** Resolves once the operating system has the bytes, so that the process may end. */
function written(stream: NodeJS.WritableStream, text: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()))
  })
}
