import { commentsOn } from '../../comments/comments-on.ts'
import { logComments } from '../../comments/log-comments.ts'
import { operatorComments } from '../../comments/operator-comments.ts'
import { storeComments } from '../../comments/store-comments.ts'
import { operatorViews } from '../../views.ts'

/** Adds comments to the tables and columns, and views that show people what is wrong. */
export function commentsAndViews(schema: string): string[] {
  return [
    ...operatorViews(schema),
    ...commentsOn(schema, { ...storeComments, ...logComments, ...operatorComments }),
  ]
}
