import type { MarkdownRenderer } from 'vitepress'

/**
 * A table needs a row of headers, even where a column has none. Empty, a screen reader stumbles.
 */
export function emptyHeadersAreCells(md: MarkdownRenderer): void {
  md.core.ruler.push('empty-headers', ({ tokens }) => {
    for (const [at, token] of tokens.entries()) {
      if (token.type !== 'th_open' || tokens[at + 1]?.content !== '') continue
      token.tag = 'td'
      const close = tokens[at + 2]
      if (close) close.tag = 'td'
    }
  })
}
