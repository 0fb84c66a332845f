output "topics" {
  description = "Names of the topics that apps publish to."
  value       = [for topic in google_pubsub_topic.topic : topic.name]
}

output "dead_letter_subscriptions" {
  description = "Names of the subscriptions that hold dead letters."
  value       = [for subscription in google_pubsub_subscription.dead : subscription.name]
}
