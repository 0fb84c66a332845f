output "queues" {
  description = "Names of the queues."
  value       = [for queue in google_cloud_tasks_queue.queue : queue.name]
}
