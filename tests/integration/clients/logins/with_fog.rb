# The life of an image through fog-openstack; what is printed is compared.
require "fog/openstack"

images = Fog::OpenStack::Image.new(
  openstack_auth_url: ENV["OS_AUTH_URL"],
  openstack_username: ENV["OS_USERNAME"],
  openstack_api_key: ENV["OS_PASSWORD"],
  openstack_project_name: ENV["OS_PROJECT_NAME"],
  openstack_domain_name: ENV["OS_USER_DOMAIN_NAME"],
  openstack_region: ENV["OS_REGION_NAME"]
)
file, project = ARGV
image = images.images.create(name: "disk", disk_format: "raw", container_format: "bare", visibility: "shared")
image.upload_data(File.open(file, "rb"))
puts "uploaded #{images.images.get(image.id).status}"
puts "listed #{images.images.map(&:name).join(" ")}"
image.add_member(project)
puts "shared #{image.members.first["status"]}"
received = "".b
image.download_data(response_block: ->(chunk, _left, _total) { received << chunk })
puts "downloaded #{received == File.binread(file) ? "True" : "False"}"
image.destroy
puts "deleted #{images.images.size}"
