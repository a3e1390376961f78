import type { MarkdownRenderer } from 'vitepress'
import { linkOnSite } from './places.ts'

/**
 * Pages link to each other as files, so that they can be read where the repository is. Here these
 * links are turned into addresses of the site, before VitePress checks that none is dead.
 */
export function linksOfFiles(md: MarkdownRenderer, root: string): void {
  md.core.ruler.push('links-of-files', ({ tokens, env }) => {
    const page = String(env.realPath ?? env.path).slice(root.length + 1)
    for (const { children } of tokens) {
      if (!children) continue
      // The end of a link that leads nowhere here goes with its beginning; links do not nest.
      let dropped = false
      for (const token of children) {
        if (token.type === 'link_close' && dropped) {
          token.type = 'text'
          token.nesting = 0
          dropped = false
        }
        if (token.type !== 'link_open') continue
        const href = linkOnSite(page, String(token.attrGet('href')))
        if (href !== undefined) token.attrSet('href', href)
        else {
          token.type = 'text'
          token.nesting = 0
          dropped = true
        }
      }
    }
  })
}
